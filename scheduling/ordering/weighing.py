"""Weighs an order of batches in the latency model: how many keep their promises, and all their seconds.

Requests stand in `order`; batch j holds the places `first[j]` to `first[j + 1]` and starts when the one
before it ends. In a batch of b, request i ends after `run[b − 1, i]` seconds, the batch lasts the longest
`lasts[b − 1, i]` of its members, and `latest[b − 1, i]` is the latest start that keeps i's promises (−inf:
none does). Kept is counted whole; or, where lengths are in doubt, by its probability, which falls evenly
from 1 to 0 as the start passes `latest`, by `sharp[b − 1, i]` a second.

Places are walked with unsigned numbers: a signed subscript is asked each time whether it is below zero.
Arrays are handed over one by one: a tuple of them would count references at every call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scheduling.compiled import entry, part

_ONE, _TWO, _THREE = (np.uint64(number) for number in (1, 2, 3))


@part
def chance_of(slack: float, sharp: float) -> float:
    """The probability of a promise, by seconds to spare."""
    return min(1.0, max(0.0, 0.5 + slack * sharp))


@part
def _likely(slack: Any, keen: Any, low: int, high: int, shift: float) -> float:
    """Σ probabilities at places [low, high), all of them `shift` seconds later; four sums side by side,
    since one sum would wait for each addition."""
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    p = low
    while p + 4 <= high:
        q = np.uint64(p)
        one += chance_of(slack[q] - shift, keen[q])
        two += chance_of(slack[q + _ONE] - shift, keen[q + _ONE])
        three += chance_of(slack[q + _TWO] - shift, keen[q + _TWO])
        four += chance_of(slack[q + _THREE] - shift, keen[q + _THREE])
        p += 4
    while p < high:
        one += chance_of(slack[np.uint64(p)] - shift, keen[np.uint64(p)])
        p += 1
    return (one + two) + (three + four)


@part
def lay_out(
    run: Any,
    lasts: Any,
    latest: Any,
    sharp: Any,
    soft: bool,
    order: Any,
    first: Any,
    batches: int,
    home: Any,
    slack: Any,
    keen: Any,
    ends: Any,
) -> Any:
    """Weigh everything from the beginning: n, and Σ seconds from the first start to each request's end.

    Fills, by place, `home` (its batch), `slack` (latest start less start) and `keen` (`sharp`), and by
    batch `ends`.
    """
    now, seconds, met = 0.0, 0.0, 0.0
    for j in range(batches):
        size = first[j + 1] - first[j] - 1
        longest = 0.0
        for p in range(first[j], first[j + 1]):
            i = order[p]
            longest = max(longest, lasts[size, i])
            seconds += now + run[size, i]
            home[p] = j
            slack[p] = latest[size, i] - now
            keen[p] = sharp[size, i]
        now += longest
        ends[j] = now
    met = kept(soft, slack, keen, 0, order.shape[0])
    return met, seconds


@part
def batch_alone(
    run: Any,
    lasts: Any,
    latest: Any,
    sharp: Any,
    soft: bool,
    order: Any,
    low: int,
    high: int,
    start: float,
) -> Any:
    """Of the batch at places [low, high): its length, Σ seconds to its members' ends, how many it keeps."""
    size = max(high - low, 1) - 1
    longest, work, met = 0.0, 0.0, 0.0
    for p in range(np.uint64(low), np.uint64(high)):
        i = order[p]
        work += run[size, i]
        longest = max(longest, lasts[size, i])
        if soft:
            met += chance_of(latest[size, i] - start, sharp[size, i])
        else:
            met += 1.0 if latest[size, i] >= start else 0.0
    return longest, work + (high - low) * start, met


@part
def seconds_of(run: Any, order: Any, low: int, high: int, start: float) -> float:
    """Σ seconds to the ends of those in the batch at places [low, high)."""
    size = max(high - low, 1) - 1
    work = (high - low) * start
    for p in range(np.uint64(low), np.uint64(high)):
        work += run[size, order[p]]
    return work


@part
def kept(soft: bool, slack: Any, keen: Any, low: int, high: int) -> float:
    """How many at places [low, high) keep their promises."""
    if soft:
        return _likely(slack, keen, low, high, 0.0)
    met: Any = 0
    for p in range(np.uint64(low), np.uint64(high)):
        met += np.int64(slack[p] >= 0.0)
    return float(met)


@part
def gained(soft: bool, slack: Any, keen: Any, low: int, high: int, shift: float) -> float:
    """How many more of them keep theirs when all start `shift` seconds later."""
    if soft:
        return _likely(slack, keen, low, high, shift) - _likely(slack, keen, low, high, 0.0)
    met: Any = 0
    for p in range(np.uint64(low), np.uint64(high)):
        met += np.int64(slack[p] >= shift) - np.int64(slack[p] >= 0.0)
    return float(met)


def _build(sources: int) -> Any:
    def weigh(
        run: Any, lasts: Any, latest: Any, sharp: Any, soft: bool, order: Any, first: Any
    ) -> Any:
        assert sources >= 0  # numba sees by it that other files have changed
        n, batches = order.shape[0], first.shape[0] - 1
        home, slack, keen, ends = np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(batches)
        return lay_out(
            run, lasts, latest, sharp, soft, order, first, batches, home, slack, keen, ends
        )

    return weigh


weigh = entry(_build)
"""n, and Σ seconds from the first start to each request's end, of `order` in batches bounded by `first`."""
