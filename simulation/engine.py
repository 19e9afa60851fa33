"""What the clouds and the world need from an engine: serve a span, say how loaded each pool is.

An engine is made with its own workload. The fluid engine turns rates into goodput a minute at a
time; the event engine serves single requests. Either follows the changes of replicas that the
clouds report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from heliostat.model.fleet import BatchBacklog
from heliostat.model.instants import Span
from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, PoolKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageWindow


class Change(StrEnum):
    """What happens to a replica's engine."""

    READY = "ready"
    """It takes requests from now on."""
    DRAINING = "draining"
    """It takes no more requests; what runs is finished."""
    EVICTING = "evicting"
    """As draining, but the cloud takes the VM at an instant of its own, finished or not."""
    GONE = "gone"
    """It stands no more, and nothing ran on it."""
    FAILED = "failed"
    """It stands no more; what waited or ran on it is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaChange:
    """A replica of a pool is ready, drains, or is gone, from `at` on."""

    at: datetime
    replica_id: str
    pool: PoolKey
    what: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolGauge:
    """A pool's load as its engines show it; fields as PoolObservation defines them."""

    running_requests: int
    waiting_requests: int
    utilisation: float
    kv_occupancy: float
    interactive_busy_replicas: int | None = None
    running_batch_requests: int | None = None


class ReplicaLoad(Protocol):
    """What a cloud may ask about the replicas that stand in it."""

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        """The pool's load; None when nothing is measured (no ready replica, or no engine)."""
        ...

    def batch_backlog(self, region: RegionName) -> tuple[BatchBacklog, ...]:
        """Batch work that waits in the region, per model; () where no engine measures it."""
        ...

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        """When everything that runs on this draining replica is finished, as far as known; `now`
        when nothing runs. Asked again at that instant, it may say later."""
        ...


class NoLoad:
    """Replicas on which nobody runs an engine: nothing is measured, drains end at once."""

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        return None

    def batch_backlog(self, region: RegionName) -> tuple[BatchBacklog, ...]:
        return ()

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        return now


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTally:
    """What became of one tier's requests so far; offered = admitted + shed.

    `started` are judged: a fluid engine judges when it begins to serve (fractions of requests), an event
    engine at the last token, or at a first one that comes too late. Of them `met` kept every promise of
    their tier. Shed requests keep none. A request that is shed and comes back is offered once.
    """

    offered: int = 0
    admitted: int = 0
    shed: int = 0
    completed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    started: float = 0.0
    met: float = 0.0
    reachable: float | None = None
    """Of those that are judged or were shed, the ones whose promise an idle best replica could have
    kept; None = not measured."""
    retried: int = 0
    """Attempts after the first, of requests that were shed or lost."""
    lost: int = 0
    """Attempts that ended with their replica."""
    preempted: int = 0
    """Times that a running request gave way for lack of memory."""
    evicted: int = 0
    """Times that a running batch request gave way to an interactive one."""

    @property
    def in_flight(self) -> int:
        """Admitted and not completed: waiting or running."""
        return self.admitted - self.completed

    @property
    def attainment(self) -> float | None:
        """Requests that kept the SLO ÷ requests that are judged or were shed; None before the first."""
        judged = self.started + self.shed
        return min(1.0, self.met / judged) if judged else None

    @property
    def attainment_of_reachable(self) -> float | None:
        """Requests that kept the SLO ÷ those that could; None where that is not measured."""
        return min(1.0, self.met / self.reachable) if self.reachable else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierLatencies:
    """Latencies of one tier's requests since the beginning, the network in them."""

    ttft: LatencySketch
    itl: LatencySketch
    """Mean time between tokens, per request; requests of one token have none."""
    e2e: LatencySketch


class EngineModel(ReplicaLoad, Protocol):
    """Serves its own workload, span by span, with the replicas that are ready."""

    @property
    def step(self) -> timedelta:
        """The length of the spans that it serves; a minute is a multiple of it."""
        ...

    @property
    def span(self) -> Span:
        """The time that its workload covers."""
        ...

    def known(self, origin: RegionName, minute: datetime) -> bool:
        """False when the workload has a hole there: nothing arrives, and nobody reports it."""
        ...

    def serve(
        self,
        span: Span,
        *,
        changes: Sequence[ReplicaChange],
        tables: Mapping[RegionName, RoutingTable],
    ) -> tuple[UsageWindow, ...]:
        """Serve one step; spans come in order, each once, from a whole minute on.

        `changes` are in order of time; those until `span.end` belong to the span. `tables` are in
        force at the gateways of each origin. At the end of a minute it returns the windows that
        closed (revision 1) and older ones that changed meanwhile (higher revisions, whole windows).
        """
        ...

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        """Totals per demand since the first span."""
        ...

    def offered(self) -> int:
        """Requests of all demands since the first span, as `tallies` counts them; cheap to ask after
        every step."""
        ...

    def busy_seconds(self, pool: PoolKey) -> float:
        """Replica-seconds of work done so far, at the rate of a full replica; it never falls: what a failed
        replica had done was done."""
        ...

    def latencies(self, tier: Tier) -> TierLatencies | None:
        """What the tier's requests waited for so far; None where it is not measured."""
        ...
