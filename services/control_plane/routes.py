"""Routing tables on their way to gateways: serialised once per version, shared by all watchers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import RoutingLedger
from heliostat.v1 import routing_pb2
from services.control_plane.bells import Bells
from services.control_plane.threads import StoreThreads
from services.control_plane.wording import report, say
from services.translation.routing import ingresses_of, table_to_wire
from storage.notify import Topic

_log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""How often a follower looks for itself, should a notification get lost."""


@dataclass(frozen=True, slots=True)
class ServedTable:
    """A table's version, and the bytes of the response that carries it, without the nonce."""

    version: str
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
        self._news: dict[RegionName, asyncio.Event] = {}
        self._acks: dict[tuple[RegionName, str], RoutingAck] = {}
        self._have_acks = asyncio.Event()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep_acks())]

    async def next(self, origin: RegionName, seen: str) -> ServedTable:
        """The origin's newest table as soon as its version is not `seen`.

        Raises Unavailable when the control plane goes away.
        """
        while True:
            self._bells.check_open()
            served = self._served.get(origin)
            if served is not None and served.version != seen:
                return served
            await self._news.setdefault(origin, asyncio.Event()).wait()

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
        self._wake(tuple(self._news))
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
            self._served[table.origin] = ServedTable(table.version, response.SerializeToString())
        self._wake(tuple(table.origin for table in fresh))

    def _version(self, origin: RegionName) -> str | None:
        served = self._served.get(origin)
        return None if served is None else served.version

    def _wake(self, origins: tuple[RegionName, ...]) -> None:
        for origin in origins:
            event = self._news.pop(origin, None)
            if event is not None:
                event.set()

    async def _follow(self) -> None:
        while True:
            seen = self._bells.count(Topic.ROUTING)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - watchers keep what they have; we look again
                report(_log, "routes_not_read", error)
            await self._bells.changed(Topic.ROUTING, seen, POLL_SECONDS)

    async def _keep_acks(self) -> None:
        while True:
            await self._have_acks.wait()
            try:
                await self._flush()
            except Exception as error:  # noqa: BLE001 - a gateway says it again with the next table
                report(_log, "acknowledgements_not_stored", error)

    async def _flush(self) -> None:
        acks, self._acks = tuple(self._acks.values()), {}
        self._have_acks.clear()

        def keep() -> None:
            for ack in acks:
                self._ledger.acknowledge_table(ack)

        if acks:
            await self._threads.write(keep)
