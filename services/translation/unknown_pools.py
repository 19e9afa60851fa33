"""Removes from an observation what the receiver does not know."""

from __future__ import annotations

from heliostat.model.names import Tier
from heliostat.v1 import common_pb2, fleet_pb2


def leave_out(observation: fleet_pb2.RegionObservation, name: str) -> bool:
    """Drop all that is about pools of that name, or of such a model or VM type; whether there was any.

    What is left is true of the pools that it names. Batch work that waits goes by model; all of it goes
    where the receiver does not know the tier, which does not say of which model.
    """
    waiting = observation.batch_backlog
    kept = [one for one in waiting if name not in (one.model, Tier.BATCH)]
    found = len(kept) < len(waiting)
    del waiting[:]
    waiting.extend(kept)
    for column in (
        observation.pools,
        observation.replicas,
        observation.lead_times,
        observation.laws,
    ):
        for place in reversed(range(len(column))):
            if name in _names(column[place].pool):
                del column[place]
                found = True
    return found


def _names(pool: common_pb2.PoolKey) -> tuple[str, str, str]:
    return pool.model, pool.vm_type, f"{pool.region}/{pool.model}/{pool.vm_type}"
