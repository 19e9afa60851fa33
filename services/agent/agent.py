"""One region's agent as a process sees it: a loop that ticks, a link, a door for local gateways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import DataLoss, HeliostatError, InvalidSettings
from heliostat.loops.agent import AgentLoop
from heliostat.model.names import RegionName
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.file import JournalFile
from services.agent.link import Link
from services.agent.local_server import add_local_services
from services.agent.metrics import AgentMetrics
from services.wording import report, say

_log = logging.getLogger(__name__)


class Agent:
    """Made by `bootstrap`. Stepped worlds call `tick` and `catch_up`; a process calls `keep_ticking`."""

    def __init__(
        self,
        *,
        region: RegionName,
        catalogue: FleetCatalogue,
        file: JournalFile,
        journal: SqliteJournal,
        loop: AgentLoop,
        link: Link,
        board: RouteBoard,
        metrics: AgentMetrics,
        local_listen: str,
        close_hands: Callable[[], None],
    ) -> None:
        self.region = region
        self.journal = journal
        self.link = link
        self.board = board
        self.metrics = metrics
        self.local_port = 0
        """The port for local gateways once started; 0 = none."""
        self._catalogue = catalogue
        self._file = file
        self._loop = loop
        self._local_listen = local_listen
        self._close_hands = close_hands
        self._local: aio.Server | None = None
        self._linked: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the door for local gateways and begin to talk to the control plane.

        Raises InvalidSettings when the door cannot be opened.
        """
        if self._local_listen:
            self._local = aio.server(options=[("grpc.so_reuseport", 0)])
            add_local_services(
                self._local,
                journal=self.journal,
                board=self.board,
                catalogue=self._catalogue,
                region=self.region,
                nudge=self.link.usage_came,
            )
            self.local_port = _bind(self._local, self._local_listen)
            await self._local.start()
        self._linked = asyncio.create_task(self.link.run(), name=f"link-{self.region}")
        say(_log, "agent_started", region=self.region, local_port=self.local_port)

    def tick(self, now: datetime) -> None:
        """One tick of the loop, in whatever thread; then the link sends what it wrote."""
        self._loop.tick(now)
        self.metrics.ticks.inc()

    def work(self, now: datetime) -> None:
        """Only advance open commands: what a stepped world does with those that have just come."""
        self._loop.work(now)

    async def catch_up(self, timeout_seconds: float = 60.0) -> None:
        """Level with the control plane as of now; raises Unavailable when that takes too long."""
        await self.link.catch_up(timeout_seconds)

    async def keep_ticking(
        self, clock: Callable[[], datetime], every_seconds: float, stop: asyncio.Event
    ) -> None:
        """Tick until `stop`; an error ends a tick, not the agent, unless the journal is lost.

        Raises DataLoss.
        """
        while not stop.is_set():
            if self._linked is not None and self._linked.done():
                self._linked.result()
            try:
                await asyncio.to_thread(self.tick, clock())
            except DataLoss:
                raise
            except HeliostatError as error:
                self.metrics.failed_ticks.inc()
                report(_log, "tick_failed", error, region=self.region)
            self.link.nudge()
            with suppress(TimeoutError):
                async with asyncio.timeout(every_seconds):
                    await stop.wait()

    async def stop(self, grace_seconds: float) -> None:
        """Hang up, let open calls end, close the journal; nothing journalled is lost."""
        if self._local is not None:
            await self._local.stop(grace_seconds)
        if self._linked is not None:
            self._linked.cancel()
            with suppress(asyncio.CancelledError):
                await self._linked
        self._close_hands()
        self._file.close()
        say(_log, "agent_stopped", region=self.region)


def _bind(server: aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError:
        raise InvalidSettings(
            "local_listen (HELIOSTAT_AGENT_LOCAL_LISTEN)",
            f"cannot listen on {address}",
            remedy="is another process listening there?",
        ) from None
