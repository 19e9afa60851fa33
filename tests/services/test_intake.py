"""Usage of many streams is committed together, in order, and one bad batch harms no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from heliostat.clock import SystemClock
from heliostat.errors import InvalidInput, SequenceGap, StorageUnavailable
from heliostat.model.usage import UsageBatch, UsageReceipt
from services.control_plane.intake import MOST_ROWS_WAITING, UsageIntake
from services.control_plane.threads import StoreThreads
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_batch, a_window


class Watched:
    """A history that notes how batches were grouped, and waits until it is let go."""

    def __init__(self) -> None:
        self.inner = memory_stores(SystemClock()).usage
        self.groups: list[int] = []
        self.asked = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def record(self, batches: Sequence[UsageBatch]) -> tuple[UsageReceipt, ...]:
        self.asked.set()
        self.go.wait()
        if self.error is not None:
            raise self.error
        self.groups.append(len(batches))
        return self.inner.record(batches)


@asynccontextmanager
async def an_intake(history: Watched) -> AsyncIterator[UsageIntake]:
    threads = StoreThreads(readers=1)
    intake = UsageIntake(history, threads)  # type: ignore[arg-type]  # a scripted history
    yield intake
    history.go.set()
    await intake.close()
    threads.close()


def a_numbered(sequence: int, source: str = "east/g") -> UsageBatch:
    return a_batch([a_window(NOON - sequence * MINUTE)], source_id=source, sequence=sequence)


async def submit(intake: UsageIntake, batch: UsageBatch) -> asyncio.Future[UsageReceipt]:
    return await intake.submit(len(batch), lambda: batch)


async def test_what_arrives_during_a_commit_goes_with_the_next() -> None:
    history = Watched()
    history.go.clear()
    async with an_intake(history) as intake:
        first = await submit(intake, a_numbered(1))
        await asyncio.to_thread(history.asked.wait)
        rest = [await submit(intake, a_numbered(n)) for n in range(2, 30)]
        history.go.set()
        receipts = await asyncio.gather(first, *rest)
    assert history.groups == [1, 28]
    assert [receipt.durable_sequence for receipt in receipts][-1] == 29


async def test_a_bad_batch_in_a_group_harms_no_other() -> None:
    history = Watched()
    history.go.clear()
    async with an_intake(history) as intake:
        answers = [await submit(intake, a_numbered(1, source)) for source in ("a", "b", "c")]
        answers.append(await submit(intake, a_numbered(7, "a")))
        history.go.set()
        found = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(one) for one in found] == [UsageReceipt] * 3 + [SequenceGap]


async def test_a_store_that_is_away_fails_the_group_and_nothing_is_kept() -> None:
    history = Watched()
    history.error = StorageUnavailable("away")
    async with an_intake(history) as intake:
        answer = await submit(intake, a_numbered(1))
        with pytest.raises(StorageUnavailable):
            await answer
        history.error = None
        again = await submit(intake, a_numbered(1))
        assert (await again).durable_sequence == 1
    assert history.groups == [1]


async def test_closing_commits_what_waits() -> None:
    history = Watched()
    async with an_intake(history) as intake:
        answers = [await submit(intake, a_numbered(n)) for n in range(1, 6)]
        await intake.close()
        assert all(answer.done() for answer in answers)


async def test_a_batch_is_read_once_there_is_room_for_it() -> None:
    history = Watched()
    history.go.clear()
    read: list[str] = []

    def reading(source: str) -> UsageBatch:
        read.append(source)
        return a_numbered(1, source)

    async with an_intake(history) as intake:
        first = await intake.submit(1, lambda: reading("a"))
        second = asyncio.create_task(intake.submit(MOST_ROWS_WAITING, lambda: reading("b")))
        await asyncio.to_thread(history.asked.wait)
        assert read == ["a"]
        history.go.set()
        await first
        await (await second)
    assert read == ["a", "b"]


async def test_a_batch_that_cannot_be_read_gives_its_room_back() -> None:
    def broken() -> UsageBatch:
        raise InvalidInput("batch", "is none")

    async with an_intake(Watched()) as intake:
        for _ in range(3):
            with pytest.raises(InvalidInput):
                await intake.submit(MOST_ROWS_WAITING, broken)
        assert (await (await submit(intake, a_numbered(1)))).durable_sequence == 1
