"""One programme inside HiGHS: linear and integer solves, warm from the last basis, limits and status.

One thread and a fixed seed, so that the same input gives the same answer; limits are nodes and
iterations, and the wall clock is a fuse only. HiGHS keeps one scheduler a process and demands that
every later solve asks for as many threads, hence one thread everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import highspy
import numpy as np
from scipy import sparse

from planning.arrays import Floats, Ints
from planning.milp.build import Programme

_ALWAYS: tuple[tuple[str, float | str], ...] = (
    ("output_flag", False),
    ("threads", 1),
    ("parallel", "off"),
    ("random_seed", 20_260_302),
)


class SparseProgramme(Protocol):
    """min cost·z + constant subject to row_lower ≤ A z ≤ row_upper, lower ≤ z ≤ upper."""

    @property
    def matrix(self) -> sparse.csc_matrix:
        """A."""
        ...

    @property
    def row_lower(self) -> Floats:
        """By row."""
        ...

    @property
    def row_upper(self) -> Floats:
        """By row."""
        ...

    @property
    def lower(self) -> Floats:
        """By column."""
        ...

    @property
    def upper(self) -> Floats:
        """By column."""
        ...

    @property
    def cost(self) -> Floats:
        """By column."""
        ...

    @property
    def constant(self) -> float:
        """What no decision changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveLimits:
    """Where a solve stops. `fuse_seconds` is wall time, and blowing it is reported."""

    nodes: int = 100
    """Of the branch and bound; 0 leaves it out."""
    iterations: int = 200_000
    """Simplex iterations of one linear solve."""
    fuse_seconds: float = 60.0
    good_gap: float = 0.0005
    """The branch and bound ends at this gap, and is left out when the dive already reached it."""
    most_whole: int = 200
    """The branch and bound is left out when there are more whole-number columns than this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A point with its objective; `values` is None when there is none (infeasible)."""

    values: Floats | None
    objective: float
    bound: float
    nodes: int = 0
    time_limited: bool = False
    row_duals: Floats | None = None


class Solver:
    """Holds one programme; bounds and coefficients may change between solves."""

    def __init__(self, programme: Programme, limits: SolveLimits) -> None:
        self._programme = programme
        self._limits = limits
        self._highs = loaded(
            programme,
            simplex_iteration_limit=limits.iterations,
            time_limit=limits.fuse_seconds,
            mip_max_nodes=max(1, limits.nodes),
            mip_rel_gap=limits.good_gap,
        )

    def linear(self) -> Answer:
        """The linear relaxation at the present bounds, from the last basis when there is one."""
        self._highs.run()
        status = self._highs.getModelStatus()
        solution = self._highs.getSolution()
        blown = status == highspy.HighsModelStatus.kTimeLimit
        if status != highspy.HighsModelStatus.kOptimal:
            return Answer(values=None, objective=np.inf, bound=np.inf, time_limited=blown)
        objective = float(self._highs.getInfo().objective_function_value)
        return Answer(
            values=np.array(solution.col_value),
            objective=objective,
            bound=objective,
        )

    def row_duals(self) -> Floats:
        """Those of the last linear solve, which found an optimum."""
        return np.array(self._highs.getSolution().row_dual)

    def whole(self, start: Floats) -> Answer:
        """Branch and bound from a feasible `start` (all columns), within the limits."""
        count = self._programme.columns.count
        everything = np.arange(count, dtype=np.int32)
        kinds = np.where(self._programme.whole, 1, 0).astype(np.uint8)
        self._highs.changeColsIntegrality(count, everything, kinds)
        self._highs.setSolution(count, everything, start)
        self._highs.run()
        status = self._highs.getModelStatus()
        info = self._highs.getInfo()
        values = np.array(self._highs.getSolution().col_value)
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        answer = Answer(
            values=values if found else None,
            objective=float(info.objective_function_value) if found else np.inf,
            bound=float(info.mip_dual_bound),
            nodes=int(info.mip_node_count),
            time_limited=status == highspy.HighsModelStatus.kTimeLimit,
        )
        self._highs.changeColsIntegrality(count, everything, np.zeros(count, dtype=np.uint8))
        return answer

    def bound(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """New bounds for some columns."""
        self._highs.changeColsBounds(
            len(columns), columns.astype(np.int32), lower.astype(float), upper.astype(float)
        )

    def coefficient(self, row: int, column: int, value: float) -> None:
        """A new coefficient."""
        self._highs.changeCoeff(row, column, value)


def loaded(programme: SparseProgramme, **options: float | str) -> highspy.Highs:
    """HiGHS holding a programme: silent, one thread, a fixed seed, and these options of its own."""
    # The class is compiled and names no types.
    highs: highspy.Highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (*_ALWAYS, *options.items()):
        highs.setOptionValue(option, value)
    highs.passModel(_as_highs(programme))
    return highs


def _as_highs(programme: SparseProgramme) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_col_ = len(programme.cost)
    lp.num_row_ = len(programme.row_lower)
    lp.col_cost_ = programme.cost
    lp.col_lower_ = programme.lower
    lp.col_upper_ = programme.upper
    lp.row_lower_ = programme.row_lower
    lp.row_upper_ = programme.row_upper
    lp.offset_ = programme.constant
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = programme.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = programme.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = programme.matrix.data
    return lp
