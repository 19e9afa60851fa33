"""Small deciders with the ports of the real ones: each does the plainest thing that can be right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from heliostat.loops.control import Deciders
from heliostat.model.demand import DemandSeries
from heliostat.model.fleet import Fleet
from heliostat.model.forecast import (
    QUANTILE_LEVELS,
    Champion,
    Forecast,
    ForecastExcerpt,
    ForecastScore,
)
from heliostat.model.names import EVERYWHERE, ModelName, PoolKey, RegionName, Tier, TokenKind
from heliostat.model.plan import CapacityPlan, Explanation, PlanStatus, PoolTarget, Reason
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from heliostat.ports.deciding import PlanningProblem, RoutingProblem
from simulation.arrivals import MinuteArrivals
from simulation.workload.sizing import replica_seconds


class LastValueForecaster:
    """Tomorrow is like the last bucket."""

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        return tuple(self._flat(one, issued_at, horizon) for one in series if one.observed)

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        return ()

    def _flat(self, series: DemandSeries, issued_at: datetime, horizon: timedelta) -> Forecast:
        steps = horizon // series.step
        means = [rate for rate in series.tokens_per_second if rate is not None]
        peaks = [rate for rate in series.peak_tokens_per_second if rate is not None]
        levels = len(QUANTILE_LEVELS)
        return Forecast(
            key=series.key,
            issued_at=issued_at,
            start=series.span.end,
            step=series.step,
            method="last value",
            trained_until=series.span.end,
            levels=QUANTILE_LEVELS,
            mean=((means[-1],) * steps,) * levels,
            peak=((peaks[-1],) * steps,) * levels,
        )


class NoScorer:
    reach = timedelta(0)

    def score(
        self, issued: Sequence[ForecastExcerpt], truth: Sequence[DemandSeries]
    ) -> tuple[ForecastScore, ...]:
        return ()


@dataclass(frozen=True)
class HomePlanner:
    """Serves each region's forecast input tokens at home, on the first VM type, at that load."""

    usable_share: float = 0.7

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        return CapacityPlan(
            created_at=problem.at,
            policy="home",
            status=PlanStatus.SOLVED,
            first_step=problem.at,
            step=timedelta(minutes=15),
            targets=tuple(self._target(problem, pool.key) for pool in problem.catalogue.pools),
        )

    def explain(self, problem: PlanningProblem, plan: CapacityPlan, pool: PoolKey) -> Explanation:
        target = plan.target(pool)
        assert target is not None
        return Explanation(target=target)

    def _target(self, problem: PlanningProblem, pool: PoolKey) -> PoolTarget:
        spec = problem.catalogue.pool(pool)
        busy = 0.0
        if pool.vm_type == problem.catalogue.vm_types[0].name:
            for forecast in problem.forecasts:
                demand = forecast.key.demand
                if (
                    forecast.key.kind is TokenKind.INPUT
                    and demand.origin != EVERYWHERE
                    and (
                        demand.origin,
                        demand.model,
                    )
                    == (pool.region, pool.model)
                ):
                    busy += self._busy(problem, pool, forecast)
        wanted = math.ceil(busy / self.usable_share)
        return PoolTarget(
            pool=pool,
            replicas=min(max(wanted, spec.min_replicas), spec.max_replicas),
            current=problem.fleet.pool(pool).standing,
            reason=Reason(summary=f"{busy:.2f} replicas busy with forecast demand"),
        )

    def _busy(self, problem: PlanningProblem, pool: PoolKey, forecast: Forecast) -> float:
        tier = forecast.key.demand.tier
        spec = problem.catalogue.model(pool.model).tier(tier)
        mix = next(m for m in problem.mixes if (m.model, m.tier) == (pool.model, tier))
        assert spec is not None
        seconds = replica_seconds(
            problem.catalogue.law(pool.model, pool.vm_type),
            (mix.input_tokens, max(1.0, mix.output_tokens)),
            spec.slo.itl_seconds,
        )
        return forecast.mean[1][0] / mix.input_tokens * seconds


class AtOnce:
    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        return plan.targets


class NoGuard:
    def clip(self, targets: tuple[PoolTarget, ...], **_: Any) -> tuple[PoolTarget, ...]:
        return targets


@dataclass(frozen=True)
class HomeRouter:
    """Everything at home while home has a ready replica, else to the nearest that has."""

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        return tuple(
            RoutingTable(
                origin=region.name,
                valid_from=problem.at,
                stale_after=problem.stale_after,
                entries=tuple(
                    self._entry(problem, region.name, model.name, spec.tier)
                    for model in problem.catalogue.models
                    for spec in model.tiers
                ),
            )
            for region in problem.catalogue.regions
        )

    def _entry(
        self, problem: RoutingProblem, origin: RegionName, model: ModelName, tier: Tier
    ) -> RouteEntry:
        catalogue = problem.catalogue
        for serving in catalogue.nearest_first(origin):
            ready = sum(
                problem.fleet.pool(pool.key).ready
                for pool in catalogue.pools
                if (pool.key.region, pool.key.model) == (serving, model)
            )
            if ready and catalogue.may_serve(origin, serving, model, tier):
                endpoint = catalogue.region(serving).ingress_endpoint
                share = RouteShare(serving=serving, weight_ppm=MILLION, ingress_endpoint=endpoint)
                return RouteEntry(model=model, tier=tier, shares=(share,))
        return RouteEntry(model=model, tier=tier, shares=(), shed_ppm=MILLION, reason="none ready")


def plain_deciders(**changes: Any) -> Deciders:
    planner = HomePlanner()
    deciders = Deciders(
        forecaster=LastValueForecaster(),
        scorer=NoScorer(),
        planner=planner,
        explainer=planner,
        strategy=AtOnce(),
        guard=NoGuard(),
        router=HomeRouter(),
    )
    return replace(deciders, **changes)


def no_arrivals(minutes: int) -> MinuteArrivals:
    """Measured silence: zeros, not holes."""
    return MinuteArrivals(
        offered=np.zeros(minutes), input_tokens=np.zeros(minutes), output_tokens=np.zeros(minutes)
    )
