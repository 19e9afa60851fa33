"""ρ(n) of single tiers (`planning.usable` says how), made many at a time and remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from threading import Lock

import numpy as np
from scipy.special import ndtr

from planning.arrays import Floats

MOST_USABLE = 0.95
"""No pool is planned fuller: beyond it the queue of any real engine grows within minutes."""
Row = tuple[float, float, float]
"""A tier's batch, its slack over service, and its attainment."""
_BISECTIONS = 40
_KEPT = 4096
_FEWEST = 64
_ROOT = np.sqrt(2 * np.pi)


class UsableRows:
    """ρ(n) by tier, the least recently used dropped first; safe to share between threads.

    A bisection of one tier takes as long as that of a dozen, so that whoever needs several asks for all
    of them first. A row is the same to the last bit in whatever company it is made.
    """

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[Row, int], Floats] = OrderedDict()
        self._lock = Lock()

    def of(self, rows: Sequence[Row], most_replicas: int) -> list[Floats]:
        """ρ(n) of each row for n from 0 to at least `most_replicas`, read-only."""
        length = _length(most_replicas)
        with self._lock:
            found = {row: self._kept.get((row, length)) for row in rows}
        missing = [row for row, table in found.items() if table is None]
        made = _made(missing, length) if missing else {}
        with self._lock:
            for row in found:
                if row in made:
                    self._kept[row, length] = made[row]
                if (row, length) in self._kept:
                    self._kept.move_to_end((row, length))
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        tables = {row: table if table is not None else made[row] for row, table in found.items()}
        return [tables[row] for row in rows]


def _length(count: int) -> int:
    """Few distinct lengths, so that rows stay remembered while pools breathe."""
    length = _FEWEST
    while length < count:
        length *= 2
    return length


def _made(rows: Collection[Row], most: int) -> dict[Row, Floats]:
    """One bisection for all."""
    batch, slack, attainment = (np.array(column)[:, None] for column in zip(*rows, strict=True))
    slots = batch * np.maximum(1, np.arange(most + 1))
    root, allowed = np.sqrt(slots), 1 - attainment
    low, high = np.zeros_like(slots), np.full_like(slots, 8.0)
    for _ in range(_BISECTIONS):
        beta = (low + high) / 2
        late = _late(beta, root, slack) > allowed
        np.copyto(low, beta, where=late)
        np.copyto(high, beta, where=~late)
    load = (-high + np.sqrt(high**2 + 4 * slots)) / 2
    shares = np.minimum(MOST_USABLE, load**2 / slots)
    table = np.maximum.accumulate(shares, axis=1)
    table.flags.writeable = False
    return dict(zip(rows, table, strict=True))


def _late(beta: Floats, root_of_slots: Floats, slack_over_service: Floats) -> Floats:
    """P(wait > w) in the Halfin–Whitt limit."""
    density = np.exp(-(beta**2) / 2) / _ROOT
    waits = 1 / (1 + beta * ndtr(beta) / density)
    late: Floats = waits * np.exp(-beta * root_of_slots * slack_over_service)
    return late
