"""Plans: targets per pool and flows between regions, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.errors import InvalidInput
from heliostat.model.instants import check_instant
from heliostat.model.names import DemandKey, PoolKey, RegionName, VmTypeName


class PlanStatus(StrEnum):
    """How a plan came about."""

    SOLVED = "solved"
    TIME_LIMITED = "time-limited"
    """The wall-clock fuse blew; the best answer so far was taken."""
    KEPT_LAST = "kept-last"
    """Infeasible or unusable input: the last good targets stand."""
    FLOOR = "floor"
    """No history: the catalogue's floor."""


class PlanOrigin(StrEnum):
    """The origin of a plan or a command."""

    SCHEDULED = "scheduled"
    """The planner, by itself."""
    PROPOSED = "proposed"
    """A what-if question; never in force."""
    APPROVED = "approved"
    """The planner made it, and a person ordered its targets where the mode only advises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a target is what it is, for people first.

    `summary` is one sentence; `binding` names the constraint that decided ("demand", "quota",
    "minimum", "override", "override ended", "own share", …); `forecast` names series, level and
    value used; `clip` says what a guardrail changed ("" = nothing); `author` is whose override decided,
    or did until it ended ("" = nobody's).
    """

    summary: str
    binding: str = ""
    forecast: str = ""
    clip: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTarget:
    """The replicas that a pool should have now (`replicas`) and over the horizon (`path`).

    `path` has one count per step of the plan. Planners without a horizon give one count (now), or two:
    now, and once what is passing now has passed.
    """

    pool: PoolKey
    replicas: int
    current: int
    """Replicas standing when the plan was made."""
    reason: Reason
    path: tuple[int, ...] = ()
    without_override: int | None = None
    """The replicas that the pool had before the override that rules it; kept after its end until
    they stand again or a forecast decides. None = no override, or a policy that needs no such
    memory because it looks at what stands."""

    def __post_init__(self) -> None:
        if min(self.replicas, self.without_override or 0, *self.path) < 0:
            raise InvalidInput("target", f"{self.pool} would get a negative number of replicas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeployment:
    """Replicas that change their model in place instead of being released and bought anew."""

    source: PoolKey
    destination: PoolKey
    replicas: int

    def __post_init__(self) -> None:
        same = (self.source.region, self.source.vm_type)
        if same != (self.destination.region, self.destination.vm_type):
            raise InvalidInput("redeployment", "source and destination differ in region or VM type")
        if self.replicas < 1:
            raise InvalidInput("redeployment", "moves at least one replica")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Requests per second of one demand that one region is planned to serve, by VM type."""

    demand: DemandKey
    serving: RegionName
    vm_type: VmTypeName
    requests_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Demand that the plan cannot serve, and the row that stands in its way."""

    demand: DemandKey
    requests_per_second: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveReport:
    """What the solver found: dollars over the horizon, its bound, the gap, and its effort.

    `cpu_seconds` is 0 where no stopwatch measured them, as in simulation.
    """

    objective: float | None
    lp_bound: float | None
    cpu_seconds: float
    nodes: int = 0
    time_limited: bool = False

    @property
    def gap(self) -> float | None:
        """(objective − bound) ÷ |bound|; None when either is missing."""
        if self.objective is None or self.lp_bound is None:
            return None
        return (self.objective - self.lp_bound) / max(1e-9, abs(self.lp_bound))


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPlan:
    """One decision about the whole fleet, as it was made; `version` is set by the store.

    `targets` are in force now. `first_step` and `step` give the grid of the targets' `path`.
    """

    created_at: datetime
    policy: str
    status: PlanStatus
    origin: PlanOrigin = PlanOrigin.SCHEDULED
    version: int = 0
    first_step: datetime
    step: timedelta
    targets: tuple[PoolTarget, ...]
    flows: tuple[Flow, ...] = ()
    redeployments: tuple[Redeployment, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    solve: SolveReport | None = None
    notes: tuple[str, ...] = ()
    """Sentences about the whole plan: degraded inputs, excluded VM types, kept targets."""
    made_after: str | None = None
    """The id of the newest command when the plan's problem was read; "" = there was none, None = not
    known (a proposed plan, or one of an older release)."""
    _target_of: dict[PoolKey, PoolTarget] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        check_instant("plan.created_at", self.created_at)
        self._target_of.update({target.pool: target for target in self.targets})
        if len(self._target_of) != len(self.targets):
            raise InvalidInput("plan.targets", "a pool appears twice")

    def target(self, pool: PoolKey) -> PoolTarget | None:
        """The pool's target, None when the plan says nothing about it."""
        return self._target_of.get(pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What else could be done for a pool, and what it would cost more (dollars per hour)."""

    summary: str
    extra_dollars_per_hour: float | None
    """None when it is infeasible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a pool has its target, why not otherwise, and what its scarce resources are worth.

    `marginal_values` are LP-relaxation duals: (row, dollars per hour that one more unit saves).
    """

    target: PoolTarget
    alternatives: tuple[Alternative, ...] = ()
    marginal_values: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A supposed change of the world for a proposed plan; the default changes nothing."""

    demand_factor: float = 1.0
    lost_region: RegionName | None = None
    quotas: tuple[tuple[RegionName, VmTypeName, int], ...] = ()
    targets: tuple[tuple[PoolKey, int], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.demand_factor <= 1000:
            raise InvalidInput(
                "what_if.demand_factor", f"{self.demand_factor} is not within [0, 1000]"
            )
        if any(quota < 0 for _, _, quota in self.quotas):
            raise InvalidInput("what_if.quotas", "contains a negative quota")
        if any(target < 0 for _, target in self.targets):
            raise InvalidInput("what_if.targets", "contains a negative target")
