"""Who works through many things gives everybody else a turn in between."""

from __future__ import annotations

import asyncio

from services.turns import give_way


async def test_others_have_a_turn_before_all_is_done() -> None:
    seen: list[str] = []

    async def works(name: str) -> None:
        for place in range(100):
            await give_way(place)
            if place in (0, 99):
                seen.append(f"{name} {place}")

    await asyncio.gather(works("first"), works("second"))
    assert seen == ["first 0", "second 0", "first 99", "second 99"]


async def test_a_few_are_done_at_once() -> None:
    others = asyncio.create_task(asyncio.sleep(0))
    for place in range(10):
        await give_way(place)
    assert not others.done()
    await others
