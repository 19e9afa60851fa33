"""What an engine notices when a replica of its region enters another stage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from simulation.engine import Change
from simulation.replica import Replica, Stage


def seen_by_engine(
    replica: Replica, after: Stage, at: datetime, finishes_at: Callable[[], datetime]
) -> Change | None:
    """The change, None = nothing; `finishes_at` says when the replica's running work will be done."""
    if after is Stage.READY:
        return Change.READY
    if replica.stage not in (Stage.READY, Stage.DRAINING):
        return None
    if after is Stage.FAILED:
        return Change.FAILED
    if after is Stage.DRAINING:
        return Change.DRAINING if replica.taken_at is None else Change.EVICTING
    if replica.taken_at is not None and replica.taken_at <= at:
        return Change.FAILED if finishes_at() > at else Change.GONE
    return Change.GONE
