"""Routing tables on their way to gateways: serialised once per version, shared by all watchers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import RoutingLedger
from heliostat.v1 import routing_pb2
from services.control_plane.bells import Bells
from services.control_plane.lags import ConnectedGateways, GatewayLag, TableAge
from services.control_plane.threads import StoreThreads
from services.log_events import report, say
from services.translation.routing import ingresses_of, table_to_wire
from storage.notify import Topic

_log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""How often a follower looks for itself, should a notification get lost."""
_HEARING_SECONDS = 0.00025
"""Per watcher: how long words on a table are gathered before they are written, so that a table has
reached a thousand gateways (a quarter of a second) before their answers take the processor."""
_ACKS_AT_ONCE = 50
"""Words per transaction of the writing thread: usage waits no longer."""


@dataclass(frozen=True, slots=True)
class ServedTable:
    """A table's version and age, and the bytes of the response that carries it, without the nonce."""

    version: str
    age: TableAge
    payload: bytes

    def response(self, nonce: str) -> bytes:
        """The whole response: protobuf allows fields of one message to be written one by one."""
        return self.payload + routing_pb2.WatchRoutesResponse(nonce=nonce).SerializeToString()


class RouteHub:
    """Keeps the newest table of every origin ready to send, and wakes its watchers."""

    def __init__(
        self,
        ledger: RoutingLedger,
        catalogue: FleetCatalogue,
        threads: StoreThreads,
        bells: Bells,
    ) -> None:
        self._ledger = ledger
        self._ingresses = ingresses_of(catalogue)
        self._threads = threads
        self._bells = bells
        self._served: dict[RegionName, ServedTable] = {}
        self._waiting: dict[RegionName, set[asyncio.Future[None]]] = {}
        self._acks: dict[tuple[RegionName, str], RoutingAck] = {}
        self._have_acks = asyncio.Event()
        self.watchers = 0
        self.gateways = ConnectedGateways()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep_acks())]

    def newest(self, origin: RegionName) -> ServedTable | None:
        """The origin's newest table; None before the first.

        Raises Unavailable when the control plane goes away.
        """
        self._bells.check_open()
        return self._served.get(origin)

    def news(self, origin: RegionName) -> asyncio.Future[None]:
        """A future of the watcher's own, done at the next change of the origin's table."""
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(origin, set()).add(watcher)
        watcher.add_done_callback(self._waiting[origin].discard)
        return watcher

    def lags(self) -> Iterable[GatewayLag]:
        """How far each connected gateway is behind the newest table; from any thread."""
        return self.gateways.lags(self._newest_age)

    def complete(self, table: RoutingTable) -> RoutingTable:
        """The table with every region's ingress."""
        return table if table.ingresses else replace(table, ingresses=self._ingresses)

    def heard(self, ack: RoutingAck) -> None:
        """Keep a gateway's word soon; of several in a row only the last matters."""
        self._acks[ack.origin, ack.gateway_id] = ack
        self._have_acks.set()
        if not ack.accepted:
            say(
                _log,
                "routing_table_refused",
                level=logging.WARNING,
                origin=ack.origin,
                gateway=ack.gateway_id,
                version=ack.version,
                detail=ack.detail,
            )

    async def close(self) -> None:
        """Wake all watchers for the last time and keep the words heard."""
        self._wake(tuple(self._waiting))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flush()

    async def refresh(self) -> None:
        """Look for new tables now."""
        tables = await self._threads.read(self._ledger.latest_tables)
        fresh = [t for t in tables if self._version(t.origin) != t.version]
        for table in fresh:
            response = routing_pb2.WatchRoutesResponse(table=table_to_wire(self.complete(table)))
            age = TableAge(plan_version=table.plan_version, valid_from=table.valid_from)
            payload = response.SerializeToString()
            self._served[table.origin] = ServedTable(table.version, age, payload)
        self._wake(tuple(table.origin for table in fresh))

    def _newest_age(self, origin: RegionName) -> TableAge | None:
        served = self._served.get(origin)
        return None if served is None else served.age

    def _version(self, origin: RegionName) -> str | None:
        served = self._served.get(origin)
        return None if served is None else served.version

    def _wake(self, origins: tuple[RegionName, ...]) -> None:
        for origin in origins:
            for watcher in tuple(self._waiting.get(origin, ())):
                if not watcher.done():
                    watcher.set_result(None)

    async def _follow(self) -> None:
        while True:
            seen = self._bells.count(Topic.ROUTING)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - watchers keep what they have; we look again
                report(_log, "routes_not_read", error)
            await self._bells.changed(Topic.ROUTING, seen=seen, at_most=POLL_SECONDS)

    async def _keep_acks(self) -> None:
        while True:
            await self._have_acks.wait()
            await asyncio.sleep(_HEARING_SECONDS * self.watchers)
            try:
                await self._flush()
            except Exception as error:  # noqa: BLE001 - a gateway says it again with the next table
                report(_log, "acknowledgements_not_stored", error)

    async def _flush(self) -> None:
        acks, self._acks = list(self._acks.values()), {}
        self._have_acks.clear()
        for start in range(0, len(acks), _ACKS_AT_ONCE):
            some = acks[start : start + _ACKS_AT_ONCE]
            await self._threads.write(partial(self._ledger.acknowledge_tables, some))
