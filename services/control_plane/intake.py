"""Usage on its way into the store: batches of all streams are committed together.

While one commit runs, what arrives meanwhile piles up and goes with the next, so that many small
batches cost one transaction. A batch that cannot be stored harms no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from heliostat.errors import HeliostatError, Unavailable
from heliostat.model.usage import UsageBatch, UsageReceipt
from heliostat.ports.history import UsageHistory
from services.control_plane.threads import StoreThreads
from services.log_events import report

_log = logging.getLogger(__name__)

MOST_ROWS_A_COMMIT = 40_000
MOST_ROWS_WAITING = 80_000
"""Rows that wait or are being committed, about a kilobyte each once they are read; more wait unread."""


@dataclass(slots=True)
class _Waiting:
    batch: UsageBatch
    answer: asyncio.Future[UsageReceipt] = field(default_factory=lambda: _future())


class UsageIntake:
    """Takes batches from many streams and stores them in groups, in the order of arrival."""

    def __init__(self, history: UsageHistory, threads: StoreThreads) -> None:
        self._history = history
        self._threads = threads
        self._waiting: list[_Waiting] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._rows = 0
        self._room = asyncio.Condition()
        self._task = asyncio.create_task(self._commit_forever())

    async def submit(
        self, rows: int, read: Callable[[], UsageBatch]
    ) -> asyncio.Future[UsageReceipt]:
        """Wait for room for so many rows, then read and queue the batch; the future of its receipt.

        Raises what `read` raises; the room is free again then. The future raises what
        `UsageHistory.record` raises for this batch.
        """
        async with self._room:
            await self._room.wait_for(lambda: not self._rows or self._fits(rows))
            self._rows += rows
        try:
            waiting = _Waiting(read())
        except BaseException:  # whatever it was goes on; others need the room
            await self._make_room(rows)
            raise
        self._rows += len(waiting.batch) - rows
        if self._task.done():
            waiting.answer.set_exception(Unavailable("usage is no longer accepted"))
        else:
            self._waiting.append(waiting)
            self._idle.clear()
            self._work.set()
        return waiting.answer

    async def close(self) -> None:
        """Commit what waits, then take no more."""
        await self._idle.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _commit_forever(self) -> None:
        while True:
            await self._work.wait()
            group = self._next_group()
            await self._commit(group)
            del self._waiting[: len(group)]
            await self._make_room(sum(len(waiting.batch) for waiting in group))
            if not self._waiting:
                self._work.clear()
                self._idle.set()

    def _fits(self, rows: int) -> bool:
        return self._rows + rows <= MOST_ROWS_WAITING

    async def _make_room(self, rows: int) -> None:
        self._rows -= rows
        async with self._room:
            self._room.notify_all()

    def _next_group(self) -> list[_Waiting]:
        rows = 0
        for number, waiting in enumerate(self._waiting):
            rows += len(waiting.batch)
            if rows > MOST_ROWS_A_COMMIT and number:
                return self._waiting[:number]
        return list(self._waiting)

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        batches = [waiting.batch for waiting in group]
        try:
            receipts = await self._threads.write(lambda: self._history.record(batches))
        except Exception as error:  # noqa: BLE001 - handed to the streams that wait for it
            await self._apart(group, error)
            return
        for waiting, receipt in zip(group, receipts, strict=True):
            _answer(waiting, receipt)

    async def _apart(self, group: Sequence[_Waiting], error: Exception) -> None:
        """One of the group is bad, or the store is away: find out whom it concerns."""
        if (
            len(group) > 1
            and isinstance(error, HeliostatError)
            and not isinstance(error, Unavailable)
        ):
            for waiting in group:
                await self._commit([waiting])
            return
        report(_log, "usage_not_stored", error, batches=len(group))
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)


def _answer(waiting: _Waiting, receipt: UsageReceipt) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(receipt)


def _future() -> asyncio.Future[UsageReceipt]:
    return asyncio.get_running_loop().create_future()
