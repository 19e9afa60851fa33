"""Deciders that do what a test tells them, to see what the control loop makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from heliostat.clock import SteppedClock
from heliostat.loops.control import ControlLoop, ControlSettings, Deciders
from heliostat.loops.forecasts import ForecastLoop
from heliostat.loops.manual import ManualDesk
from heliostat.model.demand import DemandSeries
from heliostat.model.fleet import Fleet
from heliostat.model.forecast import Champion, Forecast, ForecastExcerpt, ForecastScore
from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName
from heliostat.model.plan import CapacityPlan, Explanation, PlanStatus, PoolTarget, Reason
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from heliostat.ports.deciding import PlanningProblem, RoutingProblem
from heliostat.ports.decisions import Committed, Decision, DecisionStore
from heliostat.ports.stores import Stores
from storage.memory import memory_stores
from tests.builders import NOON, QUARTER, a_catalogue

FOREVER = timedelta(days=365)


@dataclass
class FakeDeciders:
    """All deciders in one; `targets` are planned, everything else at the pool's floor."""

    targets: Mapping[PoolKey, int] = field(default_factory=dict)
    sheds: bool = True
    reach: timedelta = timedelta(days=7)
    problems: list[PlanningProblem] = field(default_factory=list)
    seen_series: list[DemandSeries] = field(default_factory=list)
    scored: list[tuple[tuple[ForecastExcerpt, ...], tuple[DemandSeries, ...]]] = field(
        default_factory=list
    )

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        self.seen_series = list(series)
        return ()

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        return ()

    def score(
        self, issued: Sequence[ForecastExcerpt], truth: Sequence[DemandSeries]
    ) -> tuple[ForecastScore, ...]:
        self.scored.append((tuple(issued), tuple(truth)))
        return ()

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        self.problems.append(problem)
        return CapacityPlan(
            created_at=problem.at,
            policy="fake",
            status=PlanStatus.SOLVED,
            first_step=problem.at,
            step=QUARTER,
            targets=tuple(
                PoolTarget(
                    pool=spec.key,
                    replicas=self.targets.get(spec.key, spec.min_replicas),
                    current=problem.fleet.pool(spec.key).standing,
                    reason=Reason(summary="the test wants it"),
                )
                for spec in problem.catalogue.pools
            ),
        )

    def explain(self, problem: PlanningProblem, plan: CapacityPlan, pool: PoolKey) -> Explanation:
        target = plan.target(pool)
        assert target is not None
        return Explanation(target=target)

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        return plan.targets

    def clip(self, targets: tuple[PoolTarget, ...], **situation: Any) -> tuple[PoolTarget, ...]:
        return targets

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        return tuple(
            RoutingTable(
                origin=region.name,
                valid_from=problem.at,
                stale_after=problem.stale_after,
                entries=tuple(
                    RouteEntry(
                        model=model.name,
                        tier=tier.tier,
                        shares=()
                        if self.sheds
                        else (
                            RouteShare(
                                serving=region.name,
                                weight_ppm=MILLION,
                                ingress_endpoint=region.ingress_endpoint,
                            ),
                        ),
                        shed_ppm=MILLION if self.sheds else 0,
                    )
                    for model in problem.catalogue.models
                    for tier in model.tiers
                ),
            )
            for region in problem.catalogue.regions
        )


@dataclass(kw_only=True)
class BusyDecisions:
    """A decision store to which somebody else comes first, each time with the next of these acts."""

    store: DecisionStore
    first: list[Callable[[], object]]

    def commit(self, decision: Decision, *, epoch: int) -> Committed:
        if self.first:
            self.first.pop(0)()
        return self.store.commit(decision, epoch=epoch)


@dataclass
class House:
    """A control loop and a desk on memory stores, led by us."""

    deciders: FakeDeciders
    clock: SteppedClock
    stores: Stores
    loop: ControlLoop
    forecasts: ForecastLoop
    desk: ManualDesk
    epoch: int

    def set_mode(self, mode: Mode, region: RegionName = EVERYWHERE) -> None:
        setting = ModeSetting(
            region=region,
            mode=mode,
            author="ada",
            reason="test",
            at=self.clock.now(),
        )
        self.desk.set_mode(setting, epoch=self.epoch)


def fake_deciders(fake: FakeDeciders) -> Deciders:
    """One fake behind every port."""
    return Deciders(
        forecaster=fake,
        scorer=fake,
        planner=fake,
        explainer=fake,
        strategy=fake,
        guard=fake,
        router=fake,
    )


def a_house(
    targets: Mapping[PoolKey, int] | None = None,
    settings: ControlSettings | None = None,
    *,
    busy_with: list[Callable[[], object]] | None = None,
    **real: Any,
) -> House:
    """A house at NOON whose planner wants these targets; the mode is still the default.

    `real` are deciders that take the fake's place. `busy_with` happens just before the loop's
    decisions are stored, one before each.
    """
    clock = SteppedClock(NOON)
    stores = memory_stores(clock)
    lease = stores.leadership.acquire("test", "127.0.0.1:1", FOREVER)
    assert lease is not None
    fake = FakeDeciders(targets or {})
    busy = replace(
        stores,
        decisions=BusyDecisions(
            store=stores.decisions, first=[] if busy_with is None else busy_with
        ),
    )
    return House(
        deciders=fake,
        clock=clock,
        stores=stores,
        epoch=lease.epoch,
        loop=ControlLoop(
            stores=busy,
            catalogue=a_catalogue(),
            deciders=replace(fake_deciders(fake), **real),
            settings=settings,
        ),
        forecasts=ForecastLoop(
            stores=stores,
            forecaster=fake,
            scorer=fake,
            settings=(settings or ControlSettings()).forecasts,
        ),
        desk=ManualDesk(
            stores=stores, catalogue=a_catalogue(), command_lifetime=timedelta(hours=4)
        ),
    )
