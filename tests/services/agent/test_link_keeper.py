"""How the agent's link starts over: later after every refusal, at once after useful work."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from heliostat.errors import DataLoss, Forbidden, NotLeader, StorageUnavailable, Unavailable
from services.agent.link.backoff import Backoff
from services.agent.link.home import Home
from services.agent.link.keeper import STANDS_SECONDS, Keeper
from tests.support.stepped_time import SteppedSeconds


@pytest.fixture
def seconds() -> SteppedSeconds:
    return SteppedSeconds()


@pytest.fixture
def home() -> Home:
    return Home(["one:1", "two:1"], None)


@pytest.fixture
def keeper(home: Home, seconds: SteppedSeconds) -> Keeper:
    backoff = Backoff(Random(1), first_seconds=1, cap_seconds=16)
    return Keeper("words", home=home, backoff=backoff, pause=seconds.pause)


@asynccontextmanager
async def kept(keeper: Keeper, attempt: object) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(keeper.forever(attempt))  # type: ignore[arg-type]  # a test's own
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError, DataLoss):
        await task


async def refused() -> None:
    raise Forbidden("your certificate is for another region")


async def test_a_refused_task_waits_longer_each_time_up_to_the_cap(
    keeper: Keeper, seconds: SteppedSeconds
) -> None:
    async with kept(keeper, refused):
        await seconds.run(200)
    bounds = [1, 2, 4, 8] + [16] * 20
    for wait, bound in zip(seconds.waits, bounds, strict=False):
        assert bound / 2 <= wait <= bound
    assert 200 / 16 < len(seconds.waits) < 4 + 200 / 8 + 1
    assert not keeper.well


async def test_a_stream_that_is_taken_and_then_refused_did_nothing_useful(
    keeper: Keeper, seconds: SteppedSeconds
) -> None:
    async def opened_then_refused() -> None:
        keeper.stands()
        await asyncio.sleep(0)
        await refused()

    async with kept(keeper, opened_then_refused):
        await seconds.run(100)
    assert [wait for wait in seconds.waits if wait != STANDS_SECONDS][-1] >= 8


async def test_useful_work_begins_the_waits_again(keeper: Keeper, seconds: SteppedSeconds) -> None:
    async def working_once() -> None:
        if len(seconds.waits) == 5:
            keeper.worked()
        await refused()

    async with kept(keeper, working_once):
        await seconds.run(60)
    assert seconds.waits[4] >= 8
    assert seconds.waits[5] <= 1


async def test_a_stream_that_stands_is_well_also_when_it_brings_nothing(
    keeper: Keeper, seconds: SteppedSeconds
) -> None:
    ended = asyncio.Event()

    async def quiet() -> None:
        if len(seconds.waits) < 4:
            await refused()
        keeper.stands()
        await ended.wait()
        raise Unavailable("gone")

    async with kept(keeper, quiet):
        await seconds.run(4 * 8)
        ended.set()
        assert keeper.well
        await seconds.run(0)
    assert seconds.waits[-2] == STANDS_SECONDS
    assert seconds.waits[-1] <= 1


async def test_having_nothing_to_send_proves_nothing(
    keeper: Keeper, seconds: SteppedSeconds
) -> None:
    async def idle_then_refused() -> None:
        keeper.idle()
        await refused()

    async with kept(keeper, idle_then_refused):
        await seconds.run(100)
    assert seconds.waits[-1] >= 8


async def test_a_refusal_is_said_once_until_something_works(
    keeper: Keeper, seconds: SteppedSeconds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with kept(keeper, refused):
        await seconds.run(100)
    assert [record.message for record in caplog.records] == ["link_broken"]


async def test_a_task_goes_where_the_leader_is(
    keeper: Keeper, home: Home, seconds: SteppedSeconds
) -> None:
    async def follower() -> None:
        raise NotLeader("I follow", leader="three:1")

    async with kept(keeper, follower):
        await seconds.run(0)
    assert home.address == "three:1"


@pytest.mark.parametrize(
    ("error", "moves"), [(Unavailable("nobody there"), True), (StorageUnavailable("full"), False)]
)
async def test_a_full_disk_of_ours_is_no_reason_to_go_elsewhere(
    keeper: Keeper, home: Home, seconds: SteppedSeconds, error: Unavailable, moves: bool
) -> None:
    async def failing() -> None:
        raise error

    async with kept(keeper, failing):
        await seconds.run(0)
    assert (home.address == "two:1") is moves


async def test_a_broken_journal_ends_the_task(keeper: Keeper, seconds: SteppedSeconds) -> None:
    async def broken() -> None:
        raise DataLoss("the journal cannot be read")

    async with kept(keeper, broken) as task:
        await seconds.run(0)
        assert isinstance(task.exception(), DataLoss)


async def test_a_call_that_breaks_in_the_instant_of_the_cancellation_ends_the_task_all_the_same(
    keeper: Keeper,
) -> None:
    began = asyncio.Event()

    async def broken_when_cancelled() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("the control plane is gone") from None

    task = asyncio.create_task(keeper.forever(broken_when_cancelled))
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
