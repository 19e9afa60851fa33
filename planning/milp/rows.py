"""The rows of the programme, one function per kind: triplets and bounds, no loops over pools."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from planning.arrays import Floats, Ints
from planning.milp.columns import Columns
from planning.milp.instance import Instance, Moves


@dataclass(slots=True)
class Rows:
    """Triplets and bounds collected so far; `kinds` says where each kind of row begins and ends."""

    row: list[Ints] = field(default_factory=list)
    column: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)
    count: int = 0

    def open(self, kind: str, lower: Floats, upper: Floats) -> Ints:
        """New rows with these bounds (any shape, alike); returns their numbers in that shape."""
        numbers = np.arange(self.count, self.count + lower.size, dtype=np.int64)
        self.lower.append(lower.ravel())
        self.upper.append(upper.ravel())
        self.kinds[kind] = (self.count, self.count + lower.size)
        self.count += lower.size
        return numbers.reshape(lower.shape)

    def put(self, row: Ints, column: Ints, value: Floats | float) -> None:
        """Coefficients; arrays are broadcast against each other."""
        rows, columns, values = np.broadcast_arrays(row, column, value)
        self.row.append(rows.ravel().astype(np.int64))
        self.column.append(columns.ravel().astype(np.int64))
        self.value.append(values.ravel().astype(np.float64))


def _without_end(like: Floats) -> Floats:
    return np.full(like.shape, np.inf)


def served(rows: Rows, columns: Columns, instance: Instance) -> None:
    """Flows and shortage make up each demand."""
    numbers = rows.open("served", instance.demand, instance.demand)
    rows.put(numbers, columns.s.index, 1.0)
    rows.put(numbers[instance.arc_demand], columns.x.index, 1.0)


def capacity(rows: Rows, columns: Columns, instance: Instance, share: Floats) -> None:
    """Flows into a pool stay within the usable share of its replicas (`share` is P × T)."""
    zero = np.zeros((instance.pools, instance.steps))
    numbers = rows.open("capacity", -_without_end(zero), zero)
    rows.put(numbers[instance.arc_pool], columns.x.index, instance.arc_load[:, None])
    rows.put(numbers, columns.n.index, -share)


def work(rows: Rows, columns: Columns, instance: Instance) -> None:
    """Over the whole step no more is to be done in a pool than its replicas can do."""
    if instance.work is None:
        return
    zero = np.zeros((instance.pools, instance.steps))
    numbers = rows.open("work", -_without_end(zero), zero)
    rows.put(numbers[instance.arc_pool], columns.x.index, instance.work.load)
    rows.put(numbers, columns.n.index, -instance.work.share)


def quota(rows: Rows, columns: Columns, instance: Instance) -> None:
    """Replicas and those under way stay within the quota of their region and VM type."""
    limit = instance.quota.astype(np.float64)
    place = np.arange(limit.size).reshape(limit.shape)[instance.quota_group]
    limit = _less_ordered_before(limit, place, instance.moves, np.ones(instance.pools))
    numbers = rows.open("quota", -_without_end(limit), limit)
    _put_billed(rows, columns, instance, numbers[instance.quota_group], np.ones(instance.pools))


def budget(rows: Rows, columns: Columns, instance: Instance) -> None:
    """What is billed per hour stays within the budget, or is over it at a price."""
    if instance.budget is None:
        return
    limit = np.full(instance.steps, instance.budget)
    place = np.broadcast_to(np.arange(instance.steps), (instance.pools, instance.steps))
    limit = _less_ordered_before(limit, place, instance.moves, instance.price)
    numbers = rows.open("budget", -_without_end(limit), limit)
    everywhere = np.broadcast_to(numbers, (instance.pools, instance.steps))
    _put_billed(rows, columns, instance, everywhere, instance.price)
    rows.put(numbers, columns.over_budget.index[0], -1.0)


def floors(rows: Rows, columns: Columns, instance: Instance) -> None:
    """Pools keep their lower bounds; only pools that have one get rows."""
    pools, steps = np.nonzero(instance.lower > 0)
    least = instance.lower[pools, steps].astype(np.float64)
    numbers = rows.open("floor", least, _without_end(least))
    rows.put(numbers, columns.n.index[pools, steps], 1.0)
    rows.put(numbers, columns.floor_gap.index[pools, steps], 1.0)


def covers(rows: Rows, columns: Columns, instance: Instance, share: Floats) -> None:
    """Weighted usable replicas of some pools reach a need, or lack it at a price."""
    if not instance.covers:
        return
    need = np.stack([cover.need for cover in instance.covers])
    numbers = rows.open("cover", need, _without_end(need))
    rows.put(numbers, columns.v.index, 1.0)
    for number, cover in zip(numbers, instance.covers, strict=True):
        weight = cover.weight[:, None] * share[cover.pools]
        rows.put(number[None, :], columns.n.index[cover.pools], weight)


def balance(rows: Rows, columns: Columns, instance: Instance, moves: Moves) -> None:
    """Replicas in a step = replicas before, plus arrivals, minus departures."""
    given = moves.arriving.astype(np.float64)
    given[:, 0] += moves.initial
    numbers = rows.open("balance", given, given)
    rows.put(numbers, columns.n.index, 1.0)
    rows.put(numbers[:, 1:], columns.n.index[:, :-1], -1.0)
    rows.put(numbers, columns.d.index, 1.0)
    pools = np.arange(instance.pools)
    _put_arrivals(rows, numbers, columns.u.index, pools, moves.start_arrival)
    if len(moves.redeploys):
        source, destination = moves.redeploys.T
        rows.put(numbers[source], columns.y.index, 1.0)
        _put_arrivals(rows, numbers, columns.y.index, destination, moves.redeploy_arrival)


def _put_arrivals(rows: Rows, numbers: Ints, column: Ints, pool: Ints, arrival: Ints) -> None:
    """An order at step t enters its pool's balance at its arrival step."""
    item, step = np.nonzero(arrival < numbers.shape[1])
    rows.put(numbers[pool[item], arrival[item, step]], column[item, step], -1.0)


def _put_billed(
    rows: Rows, columns: Columns, instance: Instance, numbers: Ints, weight: Floats
) -> None:
    """Standing replicas of every pool and new orders under way, each in the row of its pool and step."""
    rows.put(numbers, columns.n.index, weight[:, None])
    moves = instance.moves
    if moves is None:
        return
    pools = np.arange(instance.pools)
    _put_under_way(rows, numbers, columns.u.index, pools, moves.start_arrival, weight)
    if len(moves.redeploys):
        destination = moves.redeploys[:, 1]
        _put_under_way(rows, numbers, columns.y.index, destination, moves.redeploy_arrival, weight)


def _put_under_way(
    rows: Rows, numbers: Ints, column: Ints, pool: Ints, arrival: Ints, weight: Floats
) -> None:
    """An order counts from its step until it arrives."""
    steps = numbers.shape[1]
    for after in range(steps):
        item, step = np.nonzero(arrival > np.arange(steps)[None, :] + after)
        inside = step + after < steps
        item, step = item[inside], step[inside]
        rows.put(numbers[pool[item], step + after], column[item, step], weight[pool[item]])


def _less_ordered_before(limit: Floats, place: Ints, moves: Moves | None, weight: Floats) -> Floats:
    """Upper bounds less the replicas ordered earlier, which count until they arrive.

    `place` (P, T) is the position in the flattened bounds of a pool's step; `weight` (P,) is what one
    replica takes of its bound.
    """
    if moves is None:
        return limit
    left = limit.flatten()
    np.subtract.at(left, place.ravel(), (moves.under_way * weight[:, None]).ravel())
    return left.reshape(limit.shape)
