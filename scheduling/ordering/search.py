"""The compiled search: anneals order and batches of a queue, weighing each move by its difference alone.

Words are those of `weighing`. A move changes two batches a < b and shifts what stands between and behind
them, so it is weighed in one pass over those places, without a request being looked up there; then it is
booked, or undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from scheduling.compiled import entry, part
from scheduling.ordering.weighing import batch_alone, gained, kept, lay_out, seconds_of

RATIO, COUNT, EXPECTED = 0, 1, 2
"""What is maximised, in promises: n/t times the start's t; n less t, where the start's t counts `price`
promises; the same with n by probability."""
SQUEEZE, DELAY = 0, 1
"""Moves into the batch before and behind; all else exchanges two requests."""
LONGEST = 1 << 20
"""Requests of a queue; chance picks a place by 20 bits."""
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S11, _S20, _S27, _S30, _S31, _S62 = (np.uint64(bits) for bits in (11, 20, 27, 30, 31, 62))
_LOW_20 = np.uint64(LONGEST - 1)
_UNIT = 2.0**-53


@part
def _mixed(state: Any) -> Any:
    """64 bits of chance by splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (state ^ (state >> _S30)) * _MIX_A
    z = (z ^ (z >> _S27)) * _MIX_B
    return z ^ (z >> _S31)


@part
def _place(word: Any, many: int) -> Any:
    """A number in [0, many) from the lowest 20 bits of a word."""
    return np.int64(((word & _LOW_20) * np.uint64(many)) >> _S20)


@part
def _value(met: float, seconds: float, unit: float, goal: int) -> float:
    return unit * met / seconds if goal == RATIO else met - unit * seconds


@part
def _propose(
    word: Any, order: Any, first: Any, home: Any, fixed: Any, batches: int, cap: int
) -> Any:
    """A move by chance: batches a and b (a = −1: none this time), the two places whose requests change,
    where a ends and b begins afterwards. Without room in the other batch, and for half of the words,
    two requests of different batches are exchanged. b = `batches` is a new one."""
    n = order.shape[0]
    p = _place(word, n)
    j = home[p]
    if fixed[order[p]]:
        return -1, 0, 0, 0, 0, 0
    kind = np.int64(word >> _S62)
    if kind == SQUEEZE and j > 0 and first[j] - first[j - 1] < cap:
        return j - 1, j, p, first[j], first[j] + 1, first[j] + 1
    if kind == DELAY:
        last = j + 1 == batches
        if first[j + 1] - first[j] > 1 if last else first[j + 2] - first[j + 1] < cap:
            return j, j + 1, p, first[j + 1] - 1, first[j + 1] - 1, first[j + 1] - 1
    q = _place(word >> _S20, n)
    k = home[q]
    if j == k or fixed[order[q]]:
        return -1, 0, 0, 0, 0, 0
    a, b = min(j, k), max(j, k)
    return a, b, p, q, first[a + 1], first[b]


@part
def _book(
    latest: Any,
    sharp: Any,
    order: Any,
    first: Any,
    home: Any,
    slack: Any,
    keen: Any,
    ends: Any,
    move: Any,
    found: Any,
) -> None:
    """Write down an accepted move of batches a and b that now end and begin at `inner` and `outer`."""
    a, b, low, inner, outer, end, batches = move
    start_a, start_b, early, late = found
    first[a + 1], first[b] = inner, outer
    for j in range(a, b):
        ends[j] += early
    for j in range(b, batches):
        ends[j] += late
    for p in range(np.uint64(inner), np.uint64(outer)):
        slack[p] -= early
    for p in range(np.uint64(end), np.uint64(order.shape[0])):
        slack[p] -= late
    for p in range(low, inner):
        home[p] = a
        slack[p] = latest[inner - low - 1, order[p]] - start_a
        keen[p] = sharp[inner - low - 1, order[p]]
    for p in range(outer, end):
        home[p] = b
        slack[p] = latest[end - outer - 1, order[p]] - start_b
        keen[p] = sharp[end - outer - 1, order[p]]


@part
def _take_away(first: Any, home: Any, ends: Any, batches: int, empty: int) -> None:
    """Take away a batch that has become empty."""
    for p in range(first[empty + 1], home.shape[0]):
        home[p] -= 1
    for j in range(empty, batches - 1):
        first[j] = first[j + 1]
        ends[j] = ends[j + 1]
    first[batches - 1] = first[batches]


def _build(sources: int, soft: bool) -> Any:
    # One body: the weighing as a function of its own makes a move take half as long again, whether it is
    # compiled into this one or not.
    def anneal(
        run: Any,
        lasts: Any,
        latest: Any,
        sharp: Any,
        fixed: Any,
        waited: float,
        order: Any,
        first: Any,
        batches: int,
        goal: int,
        price: float,
        seed: Any,
        hot: float,
        cold: float,
        decay: float,
        moves: int,
    ) -> Any:
        assert sources >= 0  # numba sees by it that other files have changed
        cap, n = run.shape
        home, slack, keen, ends = np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n + 1)
        best_order, best_first, best_batches = order.copy(), first.copy(), batches
        met, seconds = lay_out(
            run, lasts, latest, sharp, soft, order, first, batches, home, slack, keen, ends
        )
        unit = waited + seconds if goal == RATIO else price / (waited + seconds)
        best_met, best_seconds = met, waited + seconds
        best = _value(best_met, best_seconds, unit, goal)
        state, weighed, heat = seed, 0, hot
        while heat >= cold:
            # Anew at each level: sums of differences would drift.
            met, seconds = lay_out(
                run, lasts, latest, sharp, soft, order, first, batches, home, slack, keen, ends
            )
            seconds += waited
            value = _value(met, seconds, unit, goal)
            for _ in range(moves):
                state += _GAMMA
                a, b, p, q, inner, outer = _propose(
                    _mixed(state), order, first, home, fixed, batches, cap
                )
                if a < 0:
                    continue
                weighed += 1
                opens = b == batches
                low, end = first[a], n if opens else first[b + 1]
                start_a = ends[a - 1] if a > 0 else 0.0
                was_inner, was_outer = first[a + 1], n if opens else first[b]
                was_end = ends[a] if opens else ends[b]
                then = seconds - seconds_of(run, order, low, was_inner, start_a)
                then -= seconds_of(run, order, was_outer, end, ends[b - 1])
                met_then = (
                    met
                    - kept(soft, slack, keen, low, was_inner)
                    - kept(soft, slack, keen, was_outer, end)
                )
                order[p], order[q] = order[q], order[p]
                length, work, count = batch_alone(
                    run, lasts, latest, sharp, soft, order, low, inner, start_a
                )
                early = start_a + length - ends[a]
                then += work
                met_then += count
                start_b = ends[b - 1] + early
                length, work, count = batch_alone(
                    run, lasts, latest, sharp, soft, order, outer, end, start_b
                )
                late = start_b + length - was_end
                then += work + early * (outer - inner) + late * (n - end)
                met_then += count + gained(soft, slack, keen, inner, outer, early)
                met_then += gained(soft, slack, keen, end, n, late)
                value_then = _value(met_then, then, unit, goal)
                if value_then < value:
                    state += _GAMMA
                    chance = np.float64(_mixed(state) >> _S11) * _UNIT
                    if chance >= np.exp((value_then - value) / heat):
                        order[p], order[q] = order[q], order[p]
                        continue
                met, seconds, value = met_then, then, value_then
                if opens:
                    batches += 1
                    first[batches] = n
                    ends[b] = was_end
                move = (a, b, low, inner, outer, end, batches)
                found = (start_a, start_b, early, late)
                _book(latest, sharp, order, first, home, slack, keen, ends, move, found)
                if inner == low or outer == end:
                    _take_away(first, home, ends, batches, a if inner == low else b)
                    batches -= 1
                if value > best:
                    best, best_met, best_seconds = value, met, seconds
                    best_batches = batches
                    best_order[:], best_first[:] = order, first
            heat *= decay
        order[:], first[:] = best_order, best_first
        return best_batches, weighed, best_met, best_seconds

    return anneal


_counting, _likely = (entry(partial(_build, soft=soft)) for soft in (False, True))
ANNEAL: Mapping[int, Any] = MappingProxyType(
    {RATIO: _counting, COUNT: _counting, EXPECTED: _likely}
)
"""Per goal, the search. Improves `order` and `first` (room for n + 2 bounds) in place; gives how many
batches there are, how many moves were weighed, and the n and t that it believes to have reached.

`waited`: seconds that all have waited together; who is `fixed` stays in its batch. `seed`: 64 bits.
Temperatures fall from `hot` by `decay` while they are at least `cold`, with `moves` proposals each.
"""
