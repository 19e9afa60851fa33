"""One demo from beginning to end: history, the mode, a day of steps, the figures; and then silence."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import monotonic_seconds
from heliostat.errors import Unavailable
from heliostat.model.demand import BUCKET
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE
from heliostat.v1 import plan_pb2, plan_pb2_grpc
from services.dashboard.app import dashboard
from services.dashboard.picture import Rivalry
from services.dashboard.read_model import ReadModel
from services.dashboard.server import PageServer
from services.demo import figures
from services.demo.backfill import back_fill
from services.demo.bootstrap import Cast, agent_of, cast_of, rhythm_of
from services.demo.coordinator import Coordinator
from services.demo.demand import demo_demand, whole
from services.demo.figures import Both, Figures, Routing
from services.demo.marks import Mark, mark_of, rivalry
from services.demo.rival import Rival, remembered
from services.demo.settings import DEFAULT_PORT, DemoSettings
from services.demo.voice import Voice
from services.demo.witness import Tempo, Witness
from services.translation.enums import MODE
from simulation.workload.fit import FittedDemand

MINUTE = timedelta(minutes=1)
_LAST_WORDS_SECONDS = 5.0
REASON = "the demo shows Heliostat at work; its clouds are simulated"


class Day:
    """Lives one demo; `stop` may be set at any moment and ends it at the next step."""

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
        self._span = Span(settings.day_start, settings.day_end)

    async def live(self) -> Figures | None:
        """The whole demo; its figures, or None when it was stopped before the day was over."""
        async with AsyncExitStack() as at_end:
            return await self._live(at_end)

    async def _live(self, at_end: AsyncExitStack) -> Figures | None:
        demand = await asyncio.to_thread(demo_demand, self._settings, self._catalogue)
        self._voice.input(demand.said)
        rival = await asyncio.to_thread(
            lambda: Rival(
                settings=self._settings,
                catalogue=self._catalogue,
                arrivals=remembered(whole(demand), self._settings),
            )
        )
        at_end.callback(rival.stop)
        cast = await asyncio.to_thread(
            cast_of, self._settings, self._catalogue, demand.day, self._place
        )
        await cast.plane.start()
        at_end.push_async_callback(cast.plane.stop)
        tempo = Tempo(cast.clock, self._span)
        model = self._model(cast, rival, tempo)
        if not self._settings.headless:
            self._open_page(model, at_end)
        await self._remember(cast, demand, tempo)
        await self._activate(cast)
        coordinator = await self._coordinator(cast, at_end)
        await self._live_the_day(cast, coordinator, model, tempo)
        if self._stop.is_set():
            return None
        tempo.stage = "counting"
        result = await self._figures(cast, coordinator, rival, demand)
        await self._linger(result, tempo)
        return result

    # --- before the day ------------------------------------------------------------------------

    def _model(self, cast: Cast, rival: Rival, tempo: Tempo) -> ReadModel:
        def rivals(frame: Span) -> Rivalry:
            return rivalry(tuple(self._marks), rival.marks(), frame)

        return ReadModel(
            stores=cast.plane.stores, catalogue=self._catalogue, pulse=tempo.pulse, rivalry=rivals
        )

    def _open_page(self, model: ReadModel, at_end: AsyncExitStack) -> None:
        app = dashboard(model, self._catalogue, title="a day on simulated clouds")
        page = PageServer(app, port=self._settings.port)
        try:
            page.start()
        except Unavailable:
            if self._settings.port != DEFAULT_PORT:
                raise
            page = PageServer(app, port=0)
            page.start()
        at_end.callback(page.stop)
        self._voice.say(f"Page: {page.url}")

    async def _remember(self, cast: Cast, demand: FittedDemand, tempo: Tempo) -> None:
        tempo.stage = "storing history"
        windows = sum(len(one) for one in demand.history.by_demand.values())
        moved = self._voice.stage("storing history", windows)
        began = monotonic_seconds()
        stored = await asyncio.to_thread(
            back_fill,
            cast.plane.stores.usage,
            demand.history,
            moved=lambda done: moved(done, f"{done:,} windows"),
            stopped=self._stop.is_set,
        )
        seconds = monotonic_seconds() - began
        self._voice.say(
            f"History: {self._settings.history_days} days, {stored:,} usage windows "
            f"stored and rolled up in {seconds:.1f} s."
        )

    async def _activate(self, cast: Cast) -> None:
        """Through the API, as an operator would: with a reason, under a name, audited."""
        async with aio.insecure_channel(cast.plane.address) as channel:
            answer = await plan_pb2_grpc.PlanServiceStub(channel).SetMode(
                plan_pb2.SetModeRequest(
                    region=EVERYWHERE, mode=MODE.to_wire(Mode.ACTIVE), reason=REASON
                )
            )
        self._voice.say(f"Mode: active, set by {answer.setting.author} through the API.")

    async def _coordinator(self, cast: Cast, at_end: AsyncExitStack) -> Coordinator:
        agents = []
        for region in self._catalogue.regions:
            agent = agent_of(cast, region.name, self._place)
            at_end.push_async_callback(agent.stop, 0.5)
            await agent.start()
            agents.append(agent)
        coordinator = Coordinator(cast, agents, rhythm_of(self._settings))
        at_end.callback(coordinator.close)
        return coordinator

    # --- the day -------------------------------------------------------------------------------

    async def _live_the_day(
        self, cast: Cast, coordinator: Coordinator, model: ReadModel, tempo: Tempo
    ) -> None:
        witness = Witness(cast.plane.stores, self._voice)
        tempo.stage = "the day runs"
        step = self._settings.step
        moved = self._voice.stage("the day", int(self._span.length / step))
        for now in (*self._span.steps(step), self._span.end):
            if self._stop.is_set():
                return
            began = monotonic_seconds()
            await coordinator.step(now)
            tempo.stepped(now)
            if not (now - self._span.start) % BUCKET:
                await asyncio.to_thread(self._quarter, cast, witness, model, now)
            moved(coordinator.steps - 1, f"{now:%H:%M} UTC  {tempo.speed:.0f}×")
            await self._hold_back(monotonic_seconds() - began)

    def _quarter(self, cast: Cast, witness: Witness, model: ReadModel, now: datetime) -> None:
        self._marks.append(mark_of(cast.estate, cast.accountant, now))
        witness.look(now)
        if not self._settings.headless:
            model.look()

    async def _hold_back(self, spent_seconds: float) -> None:
        if self._settings.speed <= 0:
            return
        rest = self._settings.step / MINUTE / self._settings.speed - spent_seconds
        if rest > 0:
            await _until(self._stop, rest)

    # --- after it ------------------------------------------------------------------------------

    async def _figures(
        self, cast: Cast, coordinator: Coordinator, rival: Rival, demand: FittedDemand
    ) -> Figures:
        await self._hear_last_words(cast, coordinator)
        theirs = await asyncio.to_thread(rival.wait)
        stores = cast.plane.stores
        our_mark, their_mark = figures.latest_shared(self._marks, theirs)
        decided = Span(self._span.start, self._span.end + timedelta(seconds=1))
        remembered = Span(demand.history.start, self._span.end)
        return await asyncio.to_thread(
            lambda: Figures(
                usage_windows=figures.usage_windows(stores, remembered),
                forecasts=cast.forecaster.made,
                plans=figures.plans_made(stores, decided),
                commands=figures.commands_by_state(stores),
                routing=Routing(
                    versions=coordinator.published,
                    acks=cast.routing.acks,
                    nacks=cast.routing.nacks,
                ),
                gpu_hours_billed=Both(heliostat=our_mark.gpu_hours, reactive=their_mark.gpu_hours),
                slo_attainment=Both(
                    heliostat=figures.attainment(our_mark),
                    reactive=figures.attainment(their_mark),
                ),
                cost_dollars=Both(heliostat=our_mark.dollars, reactive=their_mark.dollars),
                input=demand.said,
                seed=self._settings.seed,
                hours=self._settings.hours,
                steps=coordinator.steps,
                wall_seconds=round(monotonic_seconds() - self._began, 2),
            )
        )

    async def _hear_last_words(self, cast: Cast, coordinator: Coordinator) -> None:
        """Words on the last tables may still be on their way."""
        until = monotonic_seconds() + _LAST_WORDS_SECONDS
        while monotonic_seconds() < until:
            if cast.routing.acks + cast.routing.nacks >= coordinator.published:
                return
            await asyncio.sleep(0.02)

    async def _linger(self, result: Figures, tempo: Tempo) -> None:
        """With a page open, the demo stays until somebody ends it."""
        tempo.stage = "the day is over"
        if self._settings.json is not None:
            await asyncio.to_thread(result.write, self._settings.json)
        self._voice.result(result)
        if not self._settings.headless:
            self._voice.say("The day is over; the page stays until Ctrl-C.")
            await self._stop.wait()


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
