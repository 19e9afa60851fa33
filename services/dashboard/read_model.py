"""Builds the page's content from the stores' ports, independently of their source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from zoneinfo import ZoneInfo

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import monotonic_seconds
from heliostat.model.demand import BUCKET
from heliostat.model.fleet import Fleet
from heliostat.model.governance import Modes
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
)
from heliostat.model.plan import CapacityPlan
from heliostat.ports.stores import Stores
from services.dashboard.memory import LEAD, Buckets, DemandMemory, ExpectationMemory, on_grid
from services.dashboard.picture import (
    DispatchDay,
    Expectation,
    Focus,
    Line,
    Picture,
    Pulse,
    RegionNow,
    RivalrySource,
)
from services.dashboard.rows import command_line, plan_now, pools_now, routes_now
from services.dashboard.standing import CommandMemory, PoolMemory


class ReadModel:
    """The fleet as the page shows it. `look` and `picture` may be called from any thread.

    However many readers ask, the stores are read at most once in `fresh_seconds` for each focus.
    """

    def __init__(
        self,
        *,
        stores: Stores,
        catalogue: FleetCatalogue,
        pulse: Callable[[], Pulse],
        rivalry: RivalrySource | None = None,
        dispatch: Callable[[], DispatchDay | None] = lambda: None,
        fresh_seconds: float = 0.0,
        stopwatch: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._pulse = pulse
        self._rivalry = rivalry
        self._dispatch = dispatch
        self._demand = DemandMemory(stores.usage)
        self._expected: dict[SeriesKey, ExpectationMemory] = {}
        self._pools = PoolMemory(stores.plans)
        self._commands = CommandMemory(stores.outbox)
        self._fresh_seconds = fresh_seconds
        self._stopwatch = stopwatch
        self._drawn: dict[Focus, tuple[float, Picture]] = {}
        self._lock = Lock()

    def focus(self, *, region: str = "", model: str = "", tier: str = "") -> Focus:
        """The focus that these names mean; empty ones give the whole fleet and what comes first.

        Raises UnknownRegion, UnknownModel, UnknownTier.
        """
        spec = self._catalogue.model(model) if model else self._catalogue.models[0]
        shown = spec.offered(Tier.parse(tier)) if tier else spec.tiers[0]
        place = EVERYWHERE
        if region and region != EVERYWHERE:
            place = self._catalogue.region(region).name
        return Focus(region=place, model=spec.name, tier=shown.tier)

    def look(self) -> None:
        """Take in what is new; cheap, and worth doing once a bucket even when nobody watches."""
        pulse = self._pulse()
        with self._lock:
            self._look(pulse)

    def picture(self, focus: Focus) -> Picture:
        """The picture of this instant, or the last one where that is fresh enough."""
        with self._lock:
            since = self._stopwatch() - self._fresh_seconds
            self._drawn = {f: known for f, known in self._drawn.items() if known[0] > since}
            if focus not in self._drawn:
                self._drawn[focus] = (self._stopwatch(), self._draw(focus))
            return self._drawn[focus][1]

    def _draw(self, focus: Focus) -> Picture:
        pulse = self._pulse()
        fleet, plan = self._look(pulse)
        modes = self._stores.modes.modes()
        return Picture(
            pulse=pulse,
            step=BUCKET,
            mode=modes.of(EVERYWHERE),
            plan=plan_now(plan),
            focus=focus,
            regions=tuple(
                self._region(region.name, fleet, plan, modes, pulse)
                for region in self._catalogue.regions
            ),
            load={
                region.name: {
                    model.name: self._load(region.name, model.name, pulse.frame)
                    for model in self._catalogue.models
                }
                for region in self._catalogue.regions
            },
            expectation=self._expectation(focus, pulse),
            pools=pools_now(self._catalogue, fleet, plan, self._pools, pulse.frame),
            routes=routes_now(
                self._stores.routing.latest_tables(),
                self._stores.routing.routing_acks(),
                focus,
            ),
            commands=tuple(command_line(command) for command in self._commands.newest()),
            command_counts=self._commands.counts(),
            rivalry=self._rivalry(pulse.frame) if self._rivalry else None,
            dispatch=self._dispatch(),
        )

    def _look(self, pulse: Pulse) -> tuple[Fleet, CapacityPlan | None]:
        fleet = self._stores.fleet.fleet(pulse.now)
        fleet = fleet.aged(pulse.now, self._catalogue.guardrails.stale_after)
        plan = self._stores.plans.latest_plan()
        self._demand.read(pulse.frame, pulse.now)
        self._pools.read(pulse.frame, pulse.now)
        self._pools.see(fleet, plan.targets if plan is not None else (), pulse.now)
        self._commands.read(pulse.frame, pulse.now)
        return fleet, plan

    def _load(self, region: RegionName, model: ModelName, frame: Span) -> Line:
        """Offered prompt tokens per second over all tiers; None where any tier is a hole."""
        tiers = [
            self._demand.series[key]
            for spec in self._catalogue.model(model).tiers
            for key in [_input_key(DemandKey(origin=region, model=model, tier=spec.tier))]
            if key in self._demand.series
        ]
        return tuple(_sum_at(tiers, start) for start in frame.steps(BUCKET))

    def _region(
        self,
        name: RegionName,
        fleet: Fleet,
        plan: CapacityPlan | None,
        modes: Modes,
        pulse: Pulse,
    ) -> RegionNow:
        local = pulse.now.astimezone(ZoneInfo(self._catalogue.region(name).time_zone))
        last = floor_to(pulse.now, BUCKET) - BUCKET
        loads = [
            self._load(name, model.name, Span(last, last + BUCKET))[0]
            for model in self._catalogue.models
        ]
        known = [load for load in loads if load is not None]
        return RegionNow(
            name=name,
            mode=modes.of(name),
            local_time=f"{local:%a %H:%M}",
            local_hour=local.hour + local.minute / 60,
            tokens_per_second=sum(known) if known else None,
            ready=sum(
                s.observation.ready for s in fleet.pools if s.observation.pool.region == name
            ),
            wanted=sum(t.replicas for t in plan.targets if t.pool.region == name) if plan else 0,
        )

    def _expectation(self, focus: Focus, pulse: Pulse) -> Expectation:
        key = _input_key(DemandKey(origin=focus.region, model=focus.model, tier=focus.tier))
        memory = self._expected.setdefault(key, ExpectationMemory(self._stores.forecasts, key))
        memory.read(pulse.frame, pulse.now)
        return Expectation(
            key=key,
            came=on_grid(self._demand.series.get(key, {}), pulse.frame),
            median=on_grid(memory.median, pulse.frame),
            high=on_grid(memory.high, pulse.frame),
            lead=LEAD,
            method=memory.method,
            degraded=memory.degraded,
            issued_at=memory.issued_at,
        )


def _input_key(demand: DemandKey) -> SeriesKey:
    return SeriesKey(demand=demand, kind=TokenKind.INPUT)


def _sum_at(series: list[Buckets], start: datetime) -> float | None:
    values = [known.get(start) for known in series]
    present = [value for value in values if value is not None]
    return sum(present) if present and len(present) == len(values) else None
