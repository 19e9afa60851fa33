"""Seconds that pass only when nobody has anything else to do: waits cost no time and can be read."""

from __future__ import annotations

import asyncio
import heapq

_TURNS = 20
"""How often everybody else gets a turn before time moves."""


class SteppedSeconds:
    """Give its `pause` to what waits; `run` lets so many seconds pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        """Every wait that was asked for, in order."""
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    async def pause(self, seconds: float) -> None:
        """Wait until that much has passed."""
        self.waits.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, len(self.waits), woken))
        await woken

    async def run(self, seconds: float) -> None:
        """Wake everybody whose time comes within so many seconds, in order."""
        end = self.now + seconds
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if not self._sleepers or self._sleepers[0][0] > end:
                self.now = end
                return
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
