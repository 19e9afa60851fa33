"""From an instance to a sparse programme: matrix, bounds, costs and which columns are whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from planning.arrays import Bools, Floats, Ints
from planning.milp import rows as row_kinds
from planning.milp.columns import Columns, lay_out
from planning.milp.instance import Instance, Moves

FLOOR_PRICE = 200.0
"""Price of a replica below its floor, in multiples of the dearest VM's price."""
BUDGET_PRICE = 20.0
"""Price of a dollar above the budget: dearer than serving anything, cheaper than a broken floor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programme:
    """min cost·z subject to row_lower ≤ A z ≤ row_upper, lower ≤ z ≤ upper, z[whole] ∈ ℤ."""

    columns: Columns
    matrix: sparse.csc_matrix
    row_lower: Floats
    row_upper: Floats
    row_kinds: dict[str, tuple[int, int]]
    lower: Floats
    upper: Floats
    cost: Floats
    whole: Bools
    constant: float
    """Dollars that no decision changes: replicas ordered before, until they serve."""


def build(instance: Instance, share: Floats) -> Programme:
    """The programme of `instance` with the usable share ρ linearised at `share` (P × T)."""
    columns = lay_out(instance)
    rows = row_kinds.Rows()
    row_kinds.served(rows, columns, instance)
    row_kinds.capacity(rows, columns, instance, share)
    row_kinds.work(rows, columns, instance)
    row_kinds.quota(rows, columns, instance)
    row_kinds.budget(rows, columns, instance)
    row_kinds.floors(rows, columns, instance)
    row_kinds.covers(rows, columns, instance, share)
    if instance.moves is not None:
        row_kinds.balance(rows, columns, instance, instance.moves)
    matrix = sparse.coo_matrix(
        (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(rows.count, columns.count),
    ).tocsc()
    lower, upper = _bounds(instance, columns)
    return Programme(
        columns=columns,
        matrix=matrix,
        row_lower=np.concatenate(rows.lower),
        row_upper=np.concatenate(rows.upper),
        row_kinds=rows.kinds,
        lower=lower,
        upper=upper,
        cost=_costs(instance, columns),
        whole=_whole(columns),
        constant=_constant(instance),
    )


def _bounds(instance: Instance, columns: Columns) -> tuple[Floats, Floats]:
    lower = np.zeros(columns.count)
    upper = np.full(columns.count, np.inf)
    upper[columns.n.index] = instance.upper
    unused = instance.lower <= 0
    upper[columns.floor_gap.index[unused]] = 0
    moves = instance.moves
    if moves is None:
        return lower, upper
    too_late = moves.start_arrival >= instance.steps
    upper[columns.u.index[too_late]] = 0
    upper[columns.d.index[moves.fixed_now, 0]] = 0
    if len(moves.redeploys):
        upper[columns.y.index[moves.redeploy_arrival >= instance.steps]] = 0
        upper[columns.y.index[moves.fixed_now[moves.redeploys[:, 0]], 0]] = 0
    return lower, upper


def _costs(instance: Instance, columns: Columns) -> Floats:
    hours = instance.step_hours
    cost = np.zeros(columns.count)
    cost[columns.n.index] = instance.price[:, None] * hours
    cost[columns.x.index] = instance.arc_cost[:, None] * hours
    cost[columns.s.index] = instance.shortage_price[:, None] * hours
    cost[columns.floor_gap.index] = FLOOR_PRICE * instance.dearest_price * hours
    for number, cover in enumerate(instance.covers):
        cost[columns.v.index[number]] = cover.price * hours
    if instance.budget is not None:
        cost[columns.over_budget.index] = BUDGET_PRICE * hours
    if instance.moves is not None:
        _price_moves(cost, instance, columns, instance.moves)
    return cost


def _price_moves(cost: Floats, instance: Instance, columns: Columns, moves: Moves) -> None:
    begins = np.concatenate([[0.0], np.cumsum(instance.step_hours)])

    def waiting(arrival: Ints) -> Floats:
        until = np.minimum(arrival, instance.steps)
        hours: Floats = begins[until] - begins[:-1][None, :]
        return hours

    cost[columns.u.index] = (
        instance.price[:, None] * waiting(moves.start_arrival)
        + moves.start_cost[:, None]
        + moves.change_cost[:, None]
    )
    cost[columns.d.index] = moves.change_cost[:, None]
    if len(moves.redeploys):
        price = instance.price[moves.redeploys[:, 1]]
        cost[columns.y.index] = (
            price[:, None] * waiting(moves.redeploy_arrival) + moves.redeploy_cost[:, None]
        )


def _whole(columns: Columns) -> Bools:
    whole = np.zeros(columns.count, dtype=np.bool_)
    for block in (columns.n, columns.u, columns.d, columns.y):
        whole[block.start : block.end] = True
    return whole


def _constant(instance: Instance) -> float:
    if instance.moves is None:
        return 0.0
    billed = instance.moves.under_way * instance.price[:, None] * instance.step_hours
    return float(billed.sum())
