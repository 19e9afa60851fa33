"""How many replicas were ready, on the mean over a span, from the changes that clouds report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from heliostat.model.instants import Span
from heliostat.model.names import PoolKey
from simulation.engine import Change, ReplicaChange


class Presence:
    """Knows who is ready; spans come in order."""

    def __init__(self, pools: Iterable[PoolKey]) -> None:
        self._pools = tuple(pools)
        self._ready: dict[str, PoolKey] = {}

    def means(self, span: Span, changes: Sequence[ReplicaChange]) -> dict[PoolKey, float]:
        """Mean ready replicas of every pool over the span, whose changes it takes in."""
        length = round(span.length.total_seconds())
        seconds: Counter[PoolKey] = Counter()
        for pool in self._ready.values():
            seconds[pool] += length
        for change in changes:
            rest = round((span.end - max(change.at, span.start)).total_seconds())
            was = self._ready.pop(change.replica_id, None)
            if was is not None:
                seconds[was] -= rest
            if change.what is Change.READY:
                self._ready[change.replica_id] = change.pool
                seconds[change.pool] += rest
        return {pool: seconds[pool] / length for pool in self._pools}
