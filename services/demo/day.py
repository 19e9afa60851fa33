"""The day itself: step after step, as fast as the machine and the reader allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from heliostat.clock import monotonic_seconds
from heliostat.model.demand import BUCKET
from services.demo.bootstrap import Cast
from services.demo.coordinator import Coordinator
from services.demo.gateways import Gateways
from services.demo.marks import Mark, mark_of
from services.demo.settings import DemoSettings
from services.demo.voice import Voice
from services.demo.witness import Tempo, Witness

MINUTE = timedelta(minutes=1)


class Day:
    """Steps a cast through its day; every quarter hour `marks` grows, and `look` is called."""

    def __init__(
        self,
        settings: DemoSettings,
        cast: Cast,
        coordinator: Coordinator,
        gateways: Gateways,
        *,
        voice: Voice,
        tempo: Tempo,
        marks: list[Mark],
        look: Callable[[], None],
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._cast = cast
        self._coordinator = coordinator
        self._gateways = gateways
        self._voice = voice
        self._tempo = tempo
        self._marks = marks
        self._look = look
        self._stop = stop
        self._witness = Witness(cast.plane.stores, voice)

    async def run(self) -> None:
        """To its end, or until the stop is set."""
        day, step = self._settings.day, self._settings.step
        moved = self._voice.stage("the day", int(day.length / step))
        for now in (*day.steps(step), day.end):
            if self._stop.is_set():
                return
            began = monotonic_seconds()
            await self._coordinator.step(now)
            await self._gateways.step(now)
            self._tempo.stepped(now)
            if not (now - day.start) % BUCKET:
                await asyncio.to_thread(self._quarter, now)
            moved(self._coordinator.steps - 1, f"{now:%H:%M} UTC  {self._tempo.speed:.0f}×")
            await self._hold_back(monotonic_seconds() - began)

    def _quarter(self, now: datetime) -> None:
        self._marks.append(mark_of(self._cast.estate, self._cast.accountant, now))
        self._witness.look(now)
        self._look()

    async def _hold_back(self, spent_seconds: float) -> None:
        if self._settings.speed <= 0:
            return
        rest = self._settings.step / MINUTE / self._settings.speed - spent_seconds
        if rest > 0:
            await _until(self._stop, rest)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
