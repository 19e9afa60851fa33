"""A snapshot of a region's dispatcher, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heliostat.model.dispatch import PlacementBasis
from heliostat.model.fleet import Signal
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import ModelName, PoolKey, RegionName


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """One replica: what it measured (None = not measured) and what is booked on it."""

    replica_id: str
    pool: PoolKey
    address: str
    draining: bool
    signal: Signal
    signal_age_seconds: float | None
    running_requests: int | None
    waiting_requests: int | None
    kv_occupancy: float | None
    booked_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQueueView:
    """One model's batch requests: waiting (`promoted` of them go like interactive ones) and placed."""

    model: ModelName
    waiting: int
    promoted: int
    placed: int
    oldest_seconds: float | None
    first_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchCounts:
    """Decisions since the start of the dispatcher; repeated answers are not counted."""

    asked: int = 0
    placed_by_signals: int = 0
    placed_in_turn: int = 0
    session_kept: int = 0
    queued: int = 0
    other_region: int = 0
    shed: int = 0
    refused: int = 0
    withdrawn: int = 0
    finished: int = 0
    given_up: int = 0
    rebalanced: int = 0
    """Of all places, those given elsewhere because outputs on the first choice ran past predictions."""

    @property
    def placed(self) -> int:
        """Places given, by whatever basis."""
        return self.placed_by_signals + self.placed_in_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBasis:
    """By what a model's requests are placed, and out of how many ready replicas."""

    model: ModelName
    basis: PlacementBasis
    fresh_replicas: int
    ready_replicas: int
    new_replicas: int = 0
    """Ready replicas that have not been observed yet and whose observation is not overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchView:
    """One look at a dispatcher; `replicas` are the fullest ones of `replicas_known`."""

    region: RegionName
    replicas: tuple[ReplicaView, ...]
    replicas_known: int
    queues: tuple[BatchQueueView, ...]
    held: int
    counts: DispatchCounts
    bases: tuple[ModelBasis, ...]
    laws: tuple[MeasuredLaw, ...] = ()
    """Laws that were refitted and are placed by; other pools go by the catalogue's."""
