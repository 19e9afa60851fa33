"""Wraps a policy: exceptions and invalid decisions end the run, with the policy's name and the instant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.loops.control import Deciders
from heliostat.loops.sound import check_plan, check_tables
from heliostat.model.demand import DemandSeries
from heliostat.model.fleet import Fleet
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.plan import CapacityPlan, PoolTarget, Reason
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import (
    CapacityPlanner,
    PlanningProblem,
    Router,
    RoutingProblem,
    ScalingStrategy,
)
from heliostat.ports.forecasts import Forecaster
from planning.routing.modes import reported_regions
from simulation.policies.failure import PolicyFailed

_MOST_WORDS = 1000


def watched(name: str, deciders: Deciders) -> Deciders:
    """The same deciders; whatever the policy's own raise, or say that cannot be acted upon, becomes
    PolicyFailed. The guard and the scorer are the house's."""
    return replace(
        deciders,
        forecaster=_WatchedForecaster(name, deciders.forecaster),
        planner=_WatchedPlanner(name, deciders.planner),
        strategy=_WatchedStrategy(name, deciders.strategy),
        router=_WatchedRouter(name, deciders.router),
    )


@contextmanager
def answering(policy: str, at: datetime, who: str) -> Iterator[None]:
    """Whatever a policy's own code raises inside becomes PolicyFailed."""
    try:
        yield
    # A plug-in may raise anything, even to leave; the run ends there and says whose fault it was.
    except (Exception, SystemExit) as error:
        told = f"its {who} failed: {type(error).__name__}: {_words_of(error)}"
        raise PolicyFailed(policy, at, told) from error


def _words_of(error: BaseException) -> str:
    """What it says, fit for a report: of bounded length, and nothing that no file can hold."""
    try:
        words = str(error)
    # Errors of plug-ins are code of plug-ins.
    except Exception:  # noqa: BLE001
        words = ""
    return words[:_MOST_WORDS].encode("utf-8", "replace").decode() or "no message"


@dataclass(frozen=True, slots=True)
class _WatchedPlanner:
    policy: str
    planner: CapacityPlanner

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        with answering(self.policy, problem.at, "planner"):
            plan = self.planner.plan(problem)
            check_plan(plan, problem.catalogue)
            _check_targets(plan.targets)
        return plan


@dataclass(frozen=True, slots=True)
class _WatchedStrategy:
    policy: str
    strategy: ScalingStrategy

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        with answering(self.policy, now, "strategy"):
            targets = self.strategy.apply(plan, fleet, now)
            _check_targets(targets)
            if [target.pool for target in targets] != [target.pool for target in plan.targets]:
                raise ValueError("its targets are not those of the plan, pool by pool")
        return targets


@dataclass(frozen=True, slots=True)
class _WatchedRouter:
    policy: str
    router: Router

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        with answering(self.policy, problem.at, "router"):
            tables = self.router.route(problem)
            check_tables(tables, problem.catalogue, problem.fleet, problem.modes)
            _check_whole(tables, problem)
        return tables


@dataclass(frozen=True, slots=True)
class _WatchedForecaster:
    policy: str
    forecaster: Forecaster

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        with answering(self.policy, issued_at, "forecaster"):
            forecasts = self.forecaster.forecast(
                series, issued_at=issued_at, horizon=horizon, champions=champions
            )
            for forecast in forecasts:
                _check_rates(forecast)
        return forecasts

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        with answering(self.policy, issued_at, "forecaster"):
            return self.forecaster.select(series, issued_at=issued_at, horizon=horizon)


def _check_targets(targets: Sequence[PoolTarget]) -> None:
    """Counts are whole numbers, which NaN and 2.5 are not; negative ones the value refuses itself."""
    for target in targets:
        for count in (target.replicas, *target.path):
            if type(count) is not int or count < 0:
                raise ValueError(f"{target.pool} would get {count!r} replicas")
        if not isinstance(target.reason, Reason):
            raise TypeError(
                f"{target.pool} would change for {target.reason!r:.60}, which is not a Reason"
            )


def _check_whole(tables: Sequence[RoutingTable], problem: RoutingProblem) -> None:
    """Every origin has its table, every model and tier that a reported region may serve its entry."""
    catalogue = problem.catalogue
    lacking = {region.name for region in catalogue.regions} - {table.origin for table in tables}
    if lacking:
        raise ValueError(f"no table for {', '.join(sorted(lacking))}")
    asked = {(model.name, spec.tier) for model in catalogue.models for spec in model.tiers}
    reported = reported_regions(problem.fleet)
    for table in tables:
        absent = asked - {(entry.model, entry.tier) for entry in table.entries}
        missing = [
            (model, tier)
            for model, tier in sorted(absent)
            if any(catalogue.may_serve(table.origin, name, model, tier) for name in reported)
        ]
        if missing:
            model, tier = missing[0]
            raise ValueError(f"the table of {table.origin} has no entry for {model}/{tier}")


def _check_rates(forecast: Forecast) -> None:
    for row in (*forecast.mean, *forecast.peak):
        if row and not (math.isfinite(sum(row)) and min(row) >= 0):
            raise ValueError(
                f"the forecast of {forecast.key} contains a negative or non-finite rate"
            )
