"""A planning problem in the planner's terms: steps, demand, throughputs, current replicas, overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue, PoolSpec
from heliostat.model.fleet import StartKind
from heliostat.model.governance import Override
from heliostat.model.names import EVERYWHERE, DemandKey, ModelName, PoolKey, Tier, VmTypeName
from heliostat.model.plan import PoolTarget
from heliostat.ports.deciding import PlanningProblem
from planning.batch_due import only_what_is_due
from planning.days_apart import steps_apart
from planning.grid import Grid
from planning.held_pools import Standing, standing
from planning.nowcast import at_least_measured
from planning.overrides import Ended, overrides_ended, overrides_in_force
from planning.settings import PlannerSettings
from planning.throughput import Thetas, Throughput, demand_throughputs
from planning.wanted import RateReader, WantedDemand, wanted_demand


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Situation:
    """A planning problem in the planner's terms, before it becomes arrays."""

    problem: PlanningProblem
    settings: PlannerSettings
    grid: Grid
    thetas: Thetas
    wanted: WantedDemand
    standing: dict[PoolKey, Standing]
    overrides: dict[PoolKey, Override]
    ended: dict[PoolKey, Ended]
    """Overrides that ended and whose pools are not back yet."""
    handed_back: dict[PoolKey, Ended]
    """Those of them that no forecast speaks for."""
    theta_basis: Mapping[tuple[ModelName, VmTypeName], str] = field(default_factory=dict)
    """By what θ was told, for reasons; nothing = by the planner's own law."""

    @property
    def catalogue(self) -> FleetCatalogue:
        """The problem's catalogue."""
        return self.problem.catalogue

    @property
    def pools(self) -> tuple[PoolSpec, ...]:
        """Pools in the order of the arrays."""
        return self.catalogue.pools

    def lead_time(self, pool: PoolKey, kind: StartKind) -> timedelta:
        """p90 of the pool's starts of that kind, measured or prior."""
        return self.problem.lead_time(pool, kind).p90

    def last(self, pool: PoolKey) -> PoolTarget | None:
        """What the last plan wanted of the pool, None where it said nothing or there is none."""
        previous = self.problem.previous
        return previous.target(pool) if previous is not None else None

    def before_override(self, spec: PoolSpec) -> int:
        """What the pool had before the override that rules it; what stands, at least the floor,
        where no plan said it."""
        last = self.last(spec.key)
        if last is None:
            return max(spec.min_replicas, self.standing[spec.key].replicas)
        return last.replicas if last.without_override is None else last.without_override

    def theta(self, demand: DemandKey, vm_type: VmTypeName) -> float:
        """Requests per second of a demand's mix that one replica serves; 0 = it cannot."""
        return self.thetas[demand, vm_type].requests_per_second

    def common(self, model: ModelName, vm_type: VmTypeName, tier: Tier) -> Throughput:
        """θ at the mix of all origins together."""
        return self.thetas[DemandKey(origin=EVERYWHERE, model=model, tier=tier), vm_type]

    def serving_cost(self, demand: DemandKey) -> float:
        """Dollars per hour of one request per second on the cheapest able VM; 0 when none is able."""
        costs = [
            self.catalogue.prices[key.region, key.vm_type].on_demand / rate
            for key in (spec.key for spec in self.pools)
            if key.model == demand.model and (rate := self.theta(demand, key.vm_type)) > 0
        ]
        return min(costs, default=0.0)


def look(problem: PlanningProblem, settings: PlannerSettings, grid: Grid) -> Situation:
    """Demand, throughputs, standing and overrides of a problem."""
    catalogue = problem.catalogue
    mixes = catalogue.demand_mixes(problem.mixes)
    thetas = demand_throughputs(catalogue, problem.mixes)
    reader = RateReader(
        forecasts={forecast.key: forecast for forecast in problem.forecasts},
        mixes=mixes,
        prefill_shares=_prefill_shares(thetas),
        grid=grid,
    )
    apart = steps_apart(settings.days_apart, catalogue, grid)
    wanted = wanted_demand(reader, settings.aims, catalogue.demands, apart)
    if settings.measured_counts:
        wanted = at_least_measured(wanted, problem.measured, grid)
    if settings.batch_within:
        wanted = only_what_is_due(wanted, problem, settings.batch_within, settings.near_step)
    forecast_models = {found.key.model for found in wanted.regional}
    blind = {model.name for model in catalogue.models} - forecast_models
    blind |= {key.model for key in wanted.unusable}
    ruling = overrides_in_force(problem.overrides, problem.at)
    ended = overrides_ended(problem.previous, ruling, problem.fleet)
    handed_back = {pool: end for pool, end in ended.items() if pool.model in blind}
    return Situation(
        problem=problem,
        settings=settings,
        grid=grid,
        thetas=thetas,
        wanted=wanted,
        standing=standing(problem, blind, handed_back.keys()),
        overrides={
            pool: override
            for pool, override in ruling.items()
            if pool.region != problem.lost_region
        },
        ended=ended,
        handed_back=handed_back,
    )


def _prefill_shares(thetas: Thetas) -> dict[DemandKey, float]:
    """Of each demand, over the VM types that can serve it; a half where none can."""
    shares: dict[DemandKey, list[float]] = {}
    for (key, _), rate in thetas.items():
        able = shares.setdefault(key, [])
        if rate.requests_per_second > 0:
            able.append(rate.prefill_share)
    return {key: float(np.mean(able)) if able else 0.5 for key, able in shares.items()}
