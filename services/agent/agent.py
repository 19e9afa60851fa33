"""One region's agent as a process sees it: a loop that ticks, a link, a local API for gateways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from heliostat.errors import DataLoss, StorageUnavailable
from heliostat.loops.agent import AgentLoop
from heliostat.model.names import RegionName
from services.agent.board import RouteBoard
from services.agent.dispatch.service import DispatchRoom
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.file import JournalFile
from services.agent.link import Link
from services.agent.local_api import LocalApi
from services.agent.metrics import AgentMetrics
from services.log_events import report, say

_log = logging.getLogger(__name__)


class Agent:
    """Made by `bootstrap`. Stepped worlds call `tick` and `catch_up`; a process calls `keep_ticking`."""

    def __init__(
        self,
        *,
        region: RegionName,
        file: JournalFile,
        journal: SqliteJournal,
        loop: AgentLoop,
        link: Link,
        board: RouteBoard,
        metrics: AgentMetrics,
        local_api: LocalApi,
        room: DispatchRoom | None = None,
        close_hands: Callable[[], None],
    ) -> None:
        self.region = region
        self.journal = journal
        self.link = link
        self.board = board
        self.metrics = metrics
        self._file = file
        self._loop = loop
        self._local_api = local_api
        self.room = room
        self._close_hands = close_hands
        self._linked: asyncio.Task[None] | None = None
        self._dispatching: asyncio.Task[None] | None = None

    @property
    def local_port(self) -> int:
        """The port for local gateways once started; 0 = none."""
        return self._local_api.port

    async def start(self) -> None:
        """Open the local API for gateways and begin to talk to the control plane.

        Raises InvalidSettings when the local API cannot be opened.
        """
        if self.room is not None and self._local_api.listens:
            self._dispatching = asyncio.create_task(self.room.run(), name=f"dispatch-{self.region}")
        await self._local_api.open(self.link.usage_came)
        self._linked = asyncio.create_task(self.link.run(), name=f"link-{self.region}")
        say(_log, "agent_started", region=self.region, local_port=self.local_port)

    def tick(self, now: datetime) -> None:
        """One tick of the loop, in whatever thread; then the link sends what it wrote. Raises what the loop
        raises; a journal that failed is asked nothing more."""
        try:
            self._loop.tick(now)
        except (DataLoss, StorageUnavailable):
            raise
        except Exception:  # whatever it was goes on; it holds up no usage
            self._send_again(now)
            raise
        self._send_again(now)
        self.metrics.ticks.inc()

    def _send_again(self, now: datetime) -> None:
        if again := self.journal.usage.send_again(now):
            say(_log, "usage_sent_again", region=self.region, batches=again)

    def work(self, now: datetime) -> None:
        """Only advance open commands: what a stepped world does with those that have just come."""
        self._loop.work(now)

    async def catch_up(self, timeout_seconds: float = 60.0) -> None:
        """Level with the control plane as of now; raises Unavailable when that takes too long."""
        await self.link.catch_up(timeout_seconds)

    async def keep_ticking(
        self, clock: Callable[[], datetime], every_seconds: float, stop: asyncio.Event
    ) -> None:
        """Tick until `stop`, early when a command comes; an error ends a tick, not the agent, unless the
        journal is lost.

        Raises DataLoss.
        """
        while not stop.is_set():
            for running in (self._linked, self._dispatching):
                if running is not None and running.done():
                    running.result()
            self.link.commands_came.clear()
            try:
                await asyncio.to_thread(self.tick, clock())
            except DataLoss:
                raise
            except Exception as error:  # noqa: BLE001 - gateways need the local API whatever a cloud answers
                self.metrics.failed_ticks.inc()
                for fault in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
                    report(_log, "tick_failed", fault, region=self.region)
            self.link.nudge()
            await _first_of(stop, self.link.commands_came, at_most_seconds=every_seconds)

    async def stop(self, grace_seconds: float) -> None:
        """Hang up, let open calls end, close the journal; nothing journalled is lost."""
        await self._local_api.close(grace_seconds)
        for running in (self._linked, self._dispatching):
            if running is not None:
                running.cancel()
                # What it failed with was raised where somebody ticks.
                await asyncio.gather(running, return_exceptions=True)
        self._close_hands()
        self._file.close()
        say(_log, "agent_stopped", region=self.region)


async def _first_of(*events: asyncio.Event, at_most_seconds: float) -> None:
    """Until one of the events is set, but not longer."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=at_most_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
