"""One demo from start to finish: history, mode, a day of steps, the figures, shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import monotonic_seconds
from services.dashboard.picture import DispatchDay
from services.demo.bootstrap import Cast, cast_of, rhythm_of
from services.demo.closing import count
from services.demo.coordinator import Coordinator
from services.demo.day import Day
from services.demo.demand import demo_demand, remembered, whole
from services.demo.figures import Figures
from services.demo.gateways import Gateways, open_gateways
from services.demo.marks import Mark
from services.demo.page import open_page, read_model
from services.demo.prelude import activate, call_agents, remember
from services.demo.rival import Rival
from services.demo.rival_process import RivalRun
from services.demo.settings import DemoSettings
from services.demo.voice import Voice
from services.demo.witness import Tempo
from simulation.workload.fit import FittedDemand


class Show:
    """Gives one demo; `stop` may be set at any moment and ends it at the next step."""

    def __init__(
        self,
        settings: DemoSettings,
        catalogue: FleetCatalogue,
        place: Path,
        voice: Voice,
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._place = place
        self._voice = voice
        self._stop = stop
        self._began = monotonic_seconds()
        self._marks: list[Mark] = []
        self._gateways: Gateways | None = None

    async def give(self) -> bool:
        """All of it; True when the day ran to its end. With a page it stays until the stop.

        Everything that was started has ended when this returns. Raises InvalidTrace, Unavailable.
        """
        async with AsyncExitStack() as at_end:
            rival = await asyncio.to_thread(Rival)  # it starts while the demand is made
            at_end.callback(rival.stop)
            demand = await asyncio.to_thread(demo_demand, self._settings, self._catalogue)
            self._voice.input(demand.said)
            await asyncio.to_thread(rival.begin, self._rival_run(demand))
            cast = await asyncio.to_thread(
                cast_of, self._settings, self._catalogue, demand.day, self._place
            )
            await cast.plane.start()
            at_end.push_async_callback(cast.plane.stop)
            tempo = Tempo(self._settings.day)
            look = self._page(cast, tempo, rival, at_end)
            coordinator = await self._prelude(cast, tempo, demand, at_end)
            await self._day(cast, coordinator, tempo, look)
            if self._stop.is_set():
                return False
            tempo.stage = "counting"
            figures = await self._count(cast, coordinator, rival, demand)
            tempo.stage = "the day is over"
            await self._tell(figures)
            return True

    def _rival_run(self, demand: FittedDemand) -> RivalRun:
        """The rival's: the same day on the same demand."""
        arrivals = remembered(whole(demand), self._settings.day_start)
        return RivalRun(settings=self._settings, catalogue=self._catalogue, arrivals=arrivals)

    def _page(
        self, cast: Cast, tempo: Tempo, rival: Rival, at_end: AsyncExitStack
    ) -> Callable[[], None]:
        """Open the page, unless headless; the returned function keeps it up to date."""
        if self._settings.headless:
            return lambda: None
        model = read_model(cast, tempo, self._marks, rival, self._sampled)
        page = open_page(model, cast, self._settings.port)
        at_end.callback(page.stop)
        self._voice.say(f"Page: {page.url}")
        return model.look

    async def _prelude(
        self, cast: Cast, tempo: Tempo, demand: FittedDemand, at_end: AsyncExitStack
    ) -> Coordinator:
        tempo.stage = "storing history"
        await remember(cast, demand.history, self._voice, self._stop.is_set)
        await activate(cast, self._voice)
        agents = await call_agents(cast, self._place, at_end)
        self._gateways = await open_gateways(cast, agents, demand.day, self._settings.seed, at_end)
        coordinator = Coordinator(cast, agents, rhythm_of(self._settings))
        at_end.callback(coordinator.close)
        return coordinator

    def _sampled(self) -> DispatchDay | None:
        """What came of the sampled requests; None before there were any."""
        return None if self._gateways is None else self._gateways.day()

    async def _day(
        self, cast: Cast, coordinator: Coordinator, tempo: Tempo, look: Callable[[], None]
    ) -> None:
        tempo.stage = "the day runs"
        assert self._gateways is not None  # the prelude opened them
        day = Day(
            self._settings,
            cast,
            coordinator,
            self._gateways,
            voice=self._voice,
            tempo=tempo,
            marks=self._marks,
            look=look,
            stop=self._stop,
        )
        await day.run()

    async def _count(
        self, cast: Cast, coordinator: Coordinator, rival: Rival, demand: FittedDemand
    ) -> Figures:
        assert self._gateways is not None  # the prelude opened them
        return await count(
            self._settings,
            cast,
            coordinator,
            gateways=self._gateways,
            rival=rival,
            marks=self._marks,
            demand=demand,
            began=self._began,
        )

    async def _tell(self, figures: Figures) -> None:
        """With a page open, the demo stays until it is interrupted."""
        if self._settings.json is not None:
            await asyncio.to_thread(figures.write, self._settings.json)
        self._voice.result(figures)
        if not self._settings.headless:
            self._voice.say("The day is over; the page stays until Ctrl-C.")
            await self._stop.wait()
            self._voice.say("Stopped: the page is closed.")
