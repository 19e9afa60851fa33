"""How long replicas were in which stage, per pool: what bills, overhead and capacity are read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from heliostat.model.names import PoolKey
from simulation.replica import Replica, Stage

StageSeconds = Counter[tuple[PoolKey, Stage]]


class StageLedger:
    """Whole replica-seconds per (pool, stage); finished stints are added up, running ones looked at."""

    def __init__(self) -> None:
        self._finished: StageSeconds = Counter()

    def leave(self, replica: Replica, at: datetime) -> None:
        """Book the stint that ends at `at`; call it before the replica's stage or pool changes."""
        self._finished[replica.counts_for, replica.stage] += _seconds(replica, at)

    def until(self, now: datetime, standing: Iterable[Replica]) -> StageSeconds:
        """All seconds up to `now`, running stints of `standing` included."""
        total = self._finished.copy()
        for replica in standing:
            total[replica.counts_for, replica.stage] += _seconds(replica, now)
        return total


def _seconds(replica: Replica, until: datetime) -> int:
    return int((until - replica.since).total_seconds())
