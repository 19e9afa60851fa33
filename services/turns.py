"""How long a thread, or one call on an event loop, may block others."""

from __future__ import annotations

import asyncio
import sys

_TURN_SECONDS = 0.0005
_TURN_ITEMS = 16
"""Asks or ends of requests take some thirty microseconds each."""


def take_short_turns() -> None:
    """Half a millisecond instead of five: an agent's tick works in a thread for tens of milliseconds, and
    its event loop, which gives the interpreter away at every look at a socket, would get it back only
    after a whole turn each time. A decision then waited for 50 ms."""
    sys.setswitchinterval(_TURN_SECONDS)


async def give_way(place: int) -> None:
    """After a few of many things all others on the event loop have their turn, so that who asks for one
    does not wait for somebody's thousand. To be awaited before each, with its place."""
    if place and not place % _TURN_ITEMS:
        await asyncio.sleep(0)
