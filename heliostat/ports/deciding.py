"""Ports of the deciders: planner, explainer, strategy, guardrails and router, with their inputs.

All are pure: the same input gives the same answer, nothing is read from anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from heliostat.catalogue import FleetCatalogue, ModelSpec, TierSpec
from heliostat.model.demand import TokenMix
from heliostat.model.fleet import Fleet, StartKind
from heliostat.model.forecast import Forecast
from heliostat.model.governance import Modes, Override
from heliostat.model.names import DemandKey, PoolKey, RegionName, VmTypeName
from heliostat.model.plan import CapacityPlan, Explanation, PoolTarget
from heliostat.model.routing import RoutingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimeEstimate:
    """Lead times of one kind of start in a pool; `samples` = 0 means the catalogue's prior."""

    pool: PoolKey
    start_kind: StartKind
    p50: timedelta
    p90: timedelta
    samples: int = 0

    @classmethod
    def assumed(cls, pool: PoolKey, catalogue: FleetCatalogue, kind: StartKind) -> Self:
        """The catalogue's prior."""
        prior = catalogue.lead_time_priors[pool.vm_type, kind]
        return cls(pool=pool, start_kind=kind, p50=prior.p50, p90=prior.p90)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRate:
    """Current requests per second of one demand, as last measured or as forecast."""

    demand: DemandKey
    requests_per_second: float
    measured: bool
    """False = not measured: the rate is a forecast, or 0 if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningProblem:
    """The complete input of a capacity plan."""

    catalogue: FleetCatalogue
    at: datetime
    forecasts: tuple[Forecast, ...]
    """Per region and aggregate (origin EVERYWHERE), per token kind; may lack series."""
    mixes: tuple[TokenMix, ...]
    """Per origin, and of all origins together (EVERYWHERE); for a missing one stands that of all origins,
    else the catalogue's (`FleetCatalogue.demand_mixes`)."""
    fleet: Fleet
    lead_times: tuple[LeadTimeEstimate, ...] = ()
    """One per pool and start kind; a missing one is the catalogue's prior."""
    overrides: tuple[Override, ...] = ()
    measured: tuple[DemandRate, ...] = ()
    """What arrived lately: of each demand the median minute of the last few."""
    previous: CapacityPlan | None = None
    """The last good plan."""
    lost_region: RegionName | None = None
    """What-if: plan as if this region were gone."""
    _lead_time_of: dict[tuple[PoolKey, StartKind], LeadTimeEstimate] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for estimate in self.lead_times:
            self._lead_time_of.setdefault((estimate.pool, estimate.start_kind), estimate)

    def lead_time(self, pool: PoolKey, kind: StartKind) -> LeadTimeEstimate:
        """How long starts of that kind take in a pool of the catalogue: as estimated, else its prior."""
        estimate = self._lead_time_of.get((pool, kind))
        return estimate or LeadTimeEstimate.assumed(pool, self.catalogue, kind)


class CapacityPlanner(Protocol):
    """Decides how many replicas of which model run on which VM type in which region."""

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        """A plan with a target and a reason for every pool of the catalogue.

        Infeasible or unusable input gives the previous plan's targets (or the floor) with status
        KEPT_LAST (or FLOOR, as long as nothing but the floor was ever decided) and a note; never
        raises on data, only on programming errors. An override rules its pool while it is in force;
        after its end the pool goes back to what it had before, where no forecast says better.
        """
        ...


class ServedPerReplica(Protocol):
    """Overrides the planner's own θ: what a replica serves."""

    def seeing(self, fleet: Fleet) -> ServedPerReplica:
        """The same source, by what was measured in this fleet. Pure; plans ask what it returns."""
        ...

    def basis(self, model: ModelSpec, vm_type: VmTypeName) -> str:
        """By what it speaks of that model there, in a few words: a part of the plan's reasons;
        empty = the planner's own law."""
        ...

    def requests_per_second(
        self, model: ModelSpec, vm_type: VmTypeName, spec: TierSpec, mix: TokenMix
    ) -> float | None:
        """Requests per second of that mix that one full replica serves within the tier's SLO, without
        any reserve for queueing, which the planner adds; 0 = it cannot; None = ask the planner. Pure:
        a plan asks several times and counts on one answer."""
        ...


class PlanExplainer(Protocol):
    """Explains a plan by perturbing the problem and solving again."""

    def explain(self, problem: PlanningProblem, plan: CapacityPlan, pool: PoolKey) -> Explanation:
        """The pool's target with its next-best alternatives and marginal values. Raises UnknownPool."""
        ...


class ScalingStrategy(Protocol):
    """Decides when a plan's targets take effect (immediately, utilisation-gated, forecast-gap)."""

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        """The targets in force now, one per target of the plan, reasons extended where they differ."""
        ...


class TargetGuard(Protocol):
    """Limits targets to safe values: limits, largest step, cool-down, budget, fresh data only."""

    def clip(
        self,
        targets: tuple[PoolTarget, ...],
        *,
        catalogue: FleetCatalogue,
        fleet: Fleet,
        overrides: tuple[Override, ...],
        last_changes: tuple[tuple[PoolKey, datetime], ...],
        now: datetime,
    ) -> tuple[PoolTarget, ...]:
        """The same targets within the catalogue's guardrails, each clip said in the reason. Overrides
        pass the largest step and the cool-down, not min/max, quota or budget."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingProblem:
    """The complete input of routing tables."""

    catalogue: FleetCatalogue
    at: datetime
    fleet: Fleet
    plan: CapacityPlan | None
    demand: tuple[DemandRate, ...]
    mixes: tuple[TokenMix, ...]
    """As in `PlanningProblem`."""
    modes: Modes
    previous: tuple[RoutingTable, ...] = ()
    stale_after: timedelta = timedelta(minutes=5)


class Router(Protocol):
    """Decides which region serves which requests until the next call."""

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        """One whole table per region of the catalogue, entries for every model and tier offered.

        Shares + shed = 1; nothing to a pool without ready replicas; residency and latency hold. An
        entry that no region can serve sheds everything, with the reason. Stale input repeats the
        previous table's entry. An origin in ADVISORY mode is not steered: its own region serves it, also
        without ready replicas, since the fleet may have some that no agent reports. In PAUSED mode it
        keeps its previous entries. Neither sheds for want of ready replicas.
        """
        ...
