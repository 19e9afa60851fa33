"""The observed fleet: pools, freshness of their data, and cloud refusals."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.errors import InvalidInput
from heliostat.model.instants import check_instant
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import ModelName, PoolKey, RegionName, VmTypeName

MOST_REPLICAS = 100_000
"""Of one pool, in each stage. More is a fault of who counted, and tables grow with a pool's size."""
MOST_AHEAD = timedelta(minutes=5)
"""Clocks may differ by so much. What lies further in the future was observed before a clock was set back."""


class Signal(StrEnum):
    """How far an input may be trusted; only FRESH and ZERO may reduce capacity."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    ZERO = "zero"

    @property
    def may_reduce_capacity(self) -> bool:
        """True for fresh data and for a measured zero."""
        return self in (Signal.FRESH, Signal.ZERO)


class StartKind(StrEnum):
    """The ways in which a replica comes to be ready; each has its own lead time."""

    COLD = "cold"
    WARM = "warm"
    REDEPLOY_LOCAL_WEIGHTS = "redeploy-local-weights"
    REDEPLOY_REMOTE_WEIGHTS = "redeploy-remote-weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolObservation:
    """One pool as its agent saw it. Counts are replicas; None = not measured.

    `desired` is the target that the driver last accepted; once that order has ended it goes with what
    stands, so that a plan sees what died. `utilisation` is max(KV occupancy, busy share, queue delay
    ÷ SLO) over the pool's ready replicas, 1 = full. `interactive_busy_replicas` run at least one
    interactive request; `running_batch_requests` are among `running_requests`. The
    wire does not carry these two yet.
    """

    pool: PoolKey
    desired: int = 0
    provisioning: int = 0
    loading: int = 0
    ready: int = 0
    draining: int = 0
    failed: int = 0
    running_requests: int | None = None
    waiting_requests: int | None = None
    utilisation: float | None = None
    kv_occupancy: float | None = None
    interactive_busy_replicas: int | None = None
    running_batch_requests: int | None = None

    def __post_init__(self) -> None:
        counts = (self.desired, self.provisioning, self.loading, self.ready, self.draining)
        if min(*counts, self.failed) < 0:
            raise InvalidInput("pool_observation", f"{self.pool} has a negative count")
        if (most := max(*counts, self.failed)) > MOST_REPLICAS:
            raise InvalidInput(
                "pool_observation",
                f"{self.pool} cannot have {most} replicas; at most {MOST_REPLICAS}",
            )

    @property
    def coming(self) -> int:
        """Replicas that are ordered and not yet ready."""
        return self.provisioning + self.loading

    @property
    def standing(self) -> int:
        """Replicas that serve or will serve: ready and coming."""
        return self.ready + self.coming


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaEndpoint:
    """Where one ready or draining replica listens inside its region."""

    replica_id: str
    pool: PoolKey
    address: str
    draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimeSample:
    """One measured start: order to ready."""

    pool: PoolKey
    start_kind: StartKind
    lead_time: timedelta
    ready_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogGroup:
    """Batch requests that wait and are due from about the same instant on: the first of them at `due`."""

    due: datetime
    requests: int

    def __post_init__(self) -> None:
        check_instant("backlog.due", self.due)
        if self.requests < 0:
            raise InvalidInput("backlog.requests", f"{self.requests} is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBacklog:
    """Batch requests of one model that wait in one region for a replica, by deadline, the earliest first.

    No group = nothing waits. A region that measures no backlog has no value of this kind at all.
    Lengths are not part of it: plans take them from the demand's token mix.
    """

    region: RegionName
    model: ModelName
    groups: tuple[BacklogGroup, ...] = ()

    @property
    def requests(self) -> int:
        """How many wait."""
        return sum(group.requests for group in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionObservation:
    """Everything an agent reports of its region at one instant."""

    region: RegionName
    observed_at: datetime
    pools: tuple[PoolObservation, ...]
    replicas: tuple[ReplicaEndpoint, ...] = ()
    lead_times: tuple[LeadTimeSample, ...] = ()
    """Starts that became ready since the last report."""
    unknown_vms: tuple[str, ...] = ()
    """VMs in the account that carry our tags but no journal entry: reported, never touched."""
    agent_paused: bool = False
    batch_backlog: tuple[BatchBacklog, ...] = ()
    """One value per model whose backlog is measured."""
    laws: tuple[MeasuredLaw, ...] = ()
    """Laws that the agent refitted; a pool without one runs by the catalogue's, as far as is known."""

    def __post_init__(self) -> None:
        check_instant("observation.observed_at", self.observed_at)
        seen: set[PoolKey] = set()
        for observed in self.pools:
            if observed.pool.region != self.region or observed.pool in seen:
                raise InvalidInput(
                    "observation.pools",
                    f"{observed.pool} is not in {self.region}, or appears twice",
                )
            seen.add(observed.pool)
        measured = [law.pool for law in self.laws]
        if len(set(measured)) < len(measured) or any(p.region != self.region for p in measured):
            raise InvalidInput(
                "observation.laws", f"a pool is not in {self.region}, or appears twice"
            )
        waiting = [backlog.model for backlog in self.batch_backlog]
        if len(set(waiting)) < len(waiting) or any(
            backlog.region != self.region for backlog in self.batch_backlog
        ):
            raise InvalidInput(
                "observation.batch_backlog", f"a model is not of {self.region}, or appears twice"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A pool in the fleet: the last observation and how far it may be trusted now."""

    observation: PoolObservation
    observed_at: datetime | None
    signal: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityDenial:
    """The cloud refused VMs of a type in a region: a fact that decays and is gone at `until`."""

    region: RegionName
    vm_type: VmTypeName
    reason: str
    at: datetime
    until: datetime
    most_replicas: int
    """How many VMs of this type stood in the region when it refused: the cap while the fact lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionReport:
    """A region's newest observation, less what a fleet shows pool by pool or model by model."""

    region: RegionName
    observed_at: datetime
    unknown_vms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All pools of the catalogue at one instant; an unreported pool is MISSING with zero counts."""

    at: datetime
    pools: tuple[PoolState, ...]
    replicas: tuple[ReplicaEndpoint, ...] = ()
    denials: tuple[CapacityDenial, ...] = ()
    paused_agents: frozenset[RegionName] = frozenset()
    batch_backlog: tuple[BatchBacklog, ...] = ()
    laws: tuple[MeasuredLaw, ...] = ()
    reports: tuple[RegionReport, ...] = ()
    """One per region that ever reported."""
    _by_key: dict[PoolKey, PoolState] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self._by_key.update({state.observation.pool: state for state in self.pools})

    def state(self, pool: PoolKey) -> PoolState:
        """The pool's state; MISSING with zero counts if it was never reported."""
        known = self._by_key.get(pool)
        if known is not None:
            return known
        return PoolState(
            observation=PoolObservation(pool=pool), observed_at=None, signal=Signal.MISSING
        )

    def pool(self, pool: PoolKey) -> PoolObservation:
        """The pool's last observation, all zero when there is none."""
        return self.state(pool).observation

    def standing(self, region: RegionName, vm_type: VmTypeName) -> int:
        """Replicas that serve or will serve on one VM type in one region, whatever their model."""
        return sum(
            state.observation.standing
            for state in self.pools
            if (state.observation.pool.region, state.observation.pool.vm_type) == (region, vm_type)
        )

    def aged(self, now: datetime, stale_after: timedelta) -> Fleet:
        """The same fleet seen at `now`: observations older than `stale_after` become STALE, and so do those
        from the future (`is_ahead`), whose age is not known."""
        pools = tuple(
            replace(state, signal=Signal.STALE)
            if _is_stale(state.observed_at, now, stale_after)
            else state
            for state in self.pools
        )
        denials = tuple(denial for denial in self.denials if denial.until > now)
        if (self.at, self.pools, self.denials) == (now, pools, denials):
            return self
        return replace(self, at=now, pools=pools, denials=denials)

    def of_regions(self, regions: AbstractSet[RegionName]) -> Fleet:
        """The same fleet without what was reported of other regions."""
        reported = {report.region for report in self.reports}
        reported.update(state.observation.pool.region for state in self.pools)
        reported.update(denial.region for denial in self.denials)
        if reported <= regions:
            return self
        return replace(
            self,
            pools=tuple(s for s in self.pools if s.observation.pool.region in regions),
            replicas=tuple(r for r in self.replicas if r.pool.region in regions),
            denials=tuple(d for d in self.denials if d.region in regions),
            paused_agents=self.paused_agents.intersection(regions),
            batch_backlog=tuple(b for b in self.batch_backlog if b.region in regions),
            laws=tuple(law for law in self.laws if law.pool.region in regions),
            reports=tuple(report for report in self.reports if report.region in regions),
        )

    def less_stale_backlogs(self, stale_after: timedelta) -> Fleet:
        """The same fleet without the backlogs of regions whose newest report is older than `stale_after`,
        or from the future: requests have come and gone since, and how many wait is not known."""
        stale = {
            report.region
            for report in self.reports
            if _is_stale(report.observed_at, self.at, stale_after)
        }
        if not stale:
            return self
        known = tuple(backlog for backlog in self.batch_backlog if backlog.region not in stale)
        return replace(self, batch_backlog=known)


def is_ahead(observed_at: datetime, now: datetime) -> bool:
    """True for an instant so far in the future that a clock must have been set back since."""
    return observed_at > now + MOST_AHEAD


def _is_stale(observed_at: datetime | None, now: datetime, stale_after: timedelta) -> bool:
    if observed_at is None:
        return False
    return now - observed_at > stale_after or is_ahead(observed_at, now)
