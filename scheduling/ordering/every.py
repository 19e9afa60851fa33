"""The compiled control: looks at every order of every division into batches, for queues of a few.

Who stands where inside a batch changes nothing, so these are the ordered partitions of n requests into
sets of at most the cap: 545,835 of eight requests without a cap. Walked depth first over bit masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scheduling.compiled import entry, part
from scheduling.ordering.search import RATIO

MOST = 8
"""Requests; nine would take fourteen times as long."""


@part
def _members(mask: int) -> int:
    """How many bits are set."""
    many = 0
    while mask:
        mask &= mask - 1
        many += 1
    return many


def _build(sources: int) -> Any:
    def look_at_all(
        run: Any, lasts: Any, latest: Any, waited: float, goal: int, best_sets: Any
    ) -> Any:
        assert sources >= 0  # numba sees by it that other files have changed
        cap, n = run.shape
        everyone = (1 << n) - 1
        length, work = np.zeros(everyone + 1), np.zeros(everyone + 1)
        for mask in range(1, everyone + 1):
            size = min(_members(mask), cap) - 1
            for i in range(n):
                if mask >> i & 1:
                    length[mask] = max(length[mask], lasts[size, i])
                    work[mask] += run[size, i]
        left, batch = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        start, met, seconds = np.zeros(n + 1), np.zeros(n + 1, np.int64), np.zeros(n + 1)
        left[0], seconds[0], batch[0] = everyone, waited, everyone + 1
        depth, weighed, best_met, best_seconds, batches = 0, 0, -1, np.inf, 0
        while depth >= 0:
            # The next smaller set of those who are left; 0 ends the level.
            mask = (batch[depth] - 1) & left[depth]
            batch[depth] = mask
            if mask == 0:
                depth -= 1
                continue
            size = _members(mask)
            if size > cap:
                continue
            count: Any = 0
            for i in range(n):
                count += np.int64((mask >> i & 1) and latest[size - 1, i] >= start[depth])
            count += met[depth]
            total = seconds[depth] + work[mask] + size * start[depth]
            if mask != left[depth]:
                start[depth + 1] = start[depth] + length[mask]
                met[depth + 1], seconds[depth + 1] = count, total
                left[depth + 1] = left[depth] & ~mask
                batch[depth + 1] = left[depth + 1] + 1
                depth += 1
                continue
            weighed += 1
            better = count > best_met or (count == best_met and total < best_seconds)
            if goal == RATIO and best_met >= 0:
                better = count * best_seconds > best_met * total
            if better:
                best_met, best_seconds, batches = count, total, depth + 1
                best_sets[: depth + 1] = batch[: depth + 1]
        return batches, weighed

    return look_at_all


look_at_all = entry(_build)
"""Write the best batches as bit masks into `best_sets`, shape (n,); gives how many they are, and how many
orders were weighed. `goal` RATIO: the largest n/t; COUNT: the largest n, then the smallest t."""
