"""Bells wake those who wait for what rang, those alone, and everybody at the end."""

from __future__ import annotations

import asyncio

import pytest

from heliostat.errors import Unavailable
from services.control_plane.bells import Bells
from storage.notify import Topic

LONG = 60.0
AT_ONCE = 0.0


async def _waiting(bells: Bells, *topics: Topic) -> asyncio.Task[int]:
    """Somebody who waits for the topics, already asleep."""
    seen = bells.count(*topics)
    task = asyncio.create_task(bells.changed(*topics, seen=seen, at_most=LONG))
    await asyncio.sleep(0)
    return task


async def _rung(bells: Bells, topic: Topic) -> None:
    bells.ring(topic)
    for _ in range(5):  # through the loop's callbacks, the sleeper and who waits for it
        await asyncio.sleep(0)


def test_any_of_the_topics_wakes_who_waits_for_several() -> None:
    async def scene() -> None:
        bells = Bells()
        for topic in (Topic.COMMANDS, Topic.WORDS):
            waiter = await _waiting(bells, Topic.COMMANDS, Topic.WORDS)
            await _rung(bells, topic)
            assert waiter.done()
        assert await waiter == 2

    asyncio.run(scene())


def test_who_waits_for_orders_sleeps_through_words() -> None:
    async def scene() -> None:
        bells = Bells()
        waiter = await _waiting(bells, Topic.COMMANDS)
        await _rung(bells, Topic.WORDS)
        assert not waiter.done()
        await _rung(bells, Topic.COMMANDS)
        assert await waiter == 1

    asyncio.run(scene())


def test_what_rang_before_the_wait_is_not_missed() -> None:
    async def scene() -> None:
        bells = Bells()
        seen = bells.count(Topic.ROUTING)
        await _rung(bells, Topic.ROUTING)
        assert await bells.changed(Topic.ROUTING, seen=seen, at_most=LONG) == seen + 1

    asyncio.run(scene())


def test_silence_ends_the_wait_with_the_same_count() -> None:
    async def scene() -> None:
        bells = Bells()
        assert await bells.changed(Topic.USAGE, seen=0, at_most=AT_ONCE) == 0

    asyncio.run(scene())


def test_the_end_wakes_everybody_with_unavailable() -> None:
    async def scene() -> None:
        bells = Bells()
        waiter = await _waiting(bells, Topic.PLAN)
        bells.close()
        with pytest.raises(Unavailable):
            await waiter
        with pytest.raises(Unavailable):
            await bells.changed(Topic.PLAN, seen=0, at_most=LONG)

    asyncio.run(scene())
