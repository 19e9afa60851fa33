"""One pool as an agent observed it, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from heliostat.errors import InvalidInput
from heliostat.model.fleet import PoolObservation
from heliostat.v1 import fleet_pb2
from services.translation.fields import count, finite, required
from services.translation.names import pool_from_wire, pool_to_wire

Number = TypeVar("Number", int, float)

HIGHEST_RATIO = 1e6
_COUNTS = ("desired", "provisioning", "loading", "ready", "draining", "failed")


def observed_to_wire(pool: PoolObservation) -> fleet_pb2.PoolObservation:
    """The pool as observed; what was not measured stays away."""
    counts = {f"{name}_replicas": getattr(pool, name) for name in _COUNTS}
    return fleet_pb2.PoolObservation(
        pool=pool_to_wire(pool.pool),
        **counts,
        running_requests=pool.running_requests,
        waiting_requests=pool.waiting_requests,
        utilisation_ratio=pool.utilisation,
        kv_occupancy_ratio=pool.kv_occupancy,
    )


def observed_from_wire(path: str, pool: fleet_pb2.PoolObservation) -> PoolObservation:
    """The pool as observed. Raises InvalidInput."""
    counts = {
        name: count(f"{path}.{name}_replicas", getattr(pool, f"{name}_replicas"))
        for name in _COUNTS
    }
    return PoolObservation(
        pool=pool_from_wire(required(path, pool, "pool"), pool.pool),
        **counts,
        running_requests=_measured(path, pool, "running_requests", count),
        waiting_requests=_measured(path, pool, "waiting_requests", count),
        utilisation=_measured(path, pool, "utilisation_ratio", _ratio),
        kv_occupancy=_measured(path, pool, "kv_occupancy_ratio", _ratio),
    )


def _measured(
    path: str, message: Message, name: str, check: Callable[[str, Number], Number]
) -> Number | None:
    """A field that is absent when it was not measured."""
    return check(f"{path}.{name}", getattr(message, name)) if message.HasField(name) else None


def _ratio(path: str, number: float) -> float:
    if not 0 <= finite(path, number) <= HIGHEST_RATIO:
        raise InvalidInput(path, f"{number} is outside [0, {HIGHEST_RATIO:g}]")
    return number
