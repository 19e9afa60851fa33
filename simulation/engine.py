"""What the clouds and the world need from an engine: serve a minute, say how loaded each pool is.

The fluid engine is one implementation; an event-driven one can stand in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from heliostat.model.names import DemandKey, PoolKey, RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolGauge:
    """A pool's load as its engines show it; `utilisation` as PoolObservation defines it."""

    running_requests: int
    waiting_requests: int
    utilisation: float
    kv_occupancy: float


class ReplicaLoad(Protocol):
    """What a cloud may ask about the replicas that stand in it."""

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        """The pool's load; None when nothing is measured (no ready replica, or no engine)."""
        ...

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        """When everything that runs on this draining replica is finished, as far as known; `now`
        when nothing runs. Asked again at that instant, it may say later."""
        ...


class NoLoad:
    """Replicas on which nobody runs an engine: nothing is measured, drains end at once."""

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        return None

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        return now


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one demand offers within one minute: whole requests and their tokens."""

    demand: DemandKey
    offered: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTally:
    """What became of one tier's requests so far; offered = admitted + shed.

    `started` have begun to be served; of them `met` kept every promise of their tier (a fluid
    engine's are fractional). Shed requests keep none.
    """

    offered: int = 0
    admitted: int = 0
    shed: int = 0
    completed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    started: float = 0.0
    met: float = 0.0

    @property
    def in_flight(self) -> int:
        """Admitted and not completed: waiting or running."""
        return self.admitted - self.completed

    @property
    def attainment(self) -> float | None:
        """Requests that kept the SLO ÷ requests that started or were shed; None before the first."""
        judged = self.started + self.shed
        return min(1.0, self.met / judged) if judged else None


class EngineModel(ReplicaLoad, Protocol):
    """Serves what arrives, minute by minute, with the replicas that are ready."""

    def serve(
        self,
        start: datetime,
        *,
        arrivals: Sequence[Arrival],
        ready_replicas: Mapping[PoolKey, float],
        tables: Mapping[RegionName, RoutingTable],
    ) -> tuple[UsageWindow, ...]:
        """Serve the minute from `start`; minutes come in order, each once.

        `ready_replicas` are means over the minute. Returns the windows that closed (revision 1)
        and older ones whose requests completed meanwhile (higher revisions, whole windows).
        """
        ...

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        """Totals per demand since the first minute."""
        ...

    def busy_seconds(self, pool: PoolKey) -> float:
        """Replica-seconds of work done so far, at the rate of a full replica."""
        ...
