"""Diving: round the relaxation's replica counts a few at a time, solving the relaxation again in between.

A round takes two fifths of the fractional counts, those that lie farthest from the cut, rounds those at or
above it up (where the quota leaves room) and the others down, by bounds only, so that later rounds may
still go further. When a round down made something unserved, its roundings down are turned into
roundings up. Solves are warm and take milliseconds; the number of rounds is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planning.arrays import Bools, Floats, Ints
from planning.highs import Answer, Solver
from planning.milp.build import Programme
from planning.milp.instance import Instance

WHOLE = 1e-6
"""How near to a whole number a count must be to be one."""
_UNSERVED = 1e-7
_MOST_ROUNDS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiveStyle:
    """Counts with a fraction of at least `cut` are rounded up; `share` of them in a round."""

    share: float = 0.4
    cut: float = 0.3


class Dive:
    """One dive over the replica counts n (P × T) of a programme that sits in a solver."""

    def __init__(
        self,
        solver: Solver,
        instance: Instance,
        programme: Programme,
        *,
        lower: Floats,
        upper: Floats,
    ) -> None:
        self._solver = solver
        self._programme = programme
        self._columns = programme.columns.n.index.ravel()
        self._low = lower.astype(float).ravel()
        self._high = upper.astype(float).ravel()
        steps = instance.steps
        self._group = (instance.quota_group[:, None] * steps + np.arange(steps)).ravel()
        self._quota = instance.quota.astype(float).ravel()
        self.rounds = 0

    def go(self, start: Answer, style: DiveStyle) -> Answer:
        """Whole counts, or an answer without values when even rounding down is infeasible."""
        answer = start
        while answer.values is not None and self.rounds < _MOST_ROUNDS:
            counts = answer.values[self._columns]
            floor = np.floor(counts + WHOLE)
            part = counts - floor
            fractional = np.flatnonzero(part > WHOLE)
            if not len(fractional):
                return answer
            far = np.argsort(-np.abs(part[fractional] - style.cut), kind="stable")
            some = fractional[far[: max(1, int(np.ceil(style.share * len(fractional))))]]
            answer = self._round(answer, some, floor[some], part[some] >= style.cut)
            self.rounds += 1
        return Answer(values=None, objective=np.inf, bound=np.inf, time_limited=answer.time_limited)

    def _round(self, before: Answer, some: Ints, floor: Floats, up: Bools) -> Answer:
        saved = self._low[some].copy(), self._high[some].copy()
        raised = self._raise(some, floor, up)
        self._high[some[~raised]] = np.maximum(floor, self._low[some])[~raised]
        answer = self._solve(some)
        if answer.values is None:
            return self._only_down(some, floor, saved)
        if unserved(self._programme, answer) > unserved(self._programme, before) + _UNSERVED:
            self._high[some] = saved[1]
            raised |= self._raise(some, floor, ~raised)
            self._high[some[~raised]] = np.maximum(floor, self._low[some])[~raised]
            second = self._solve(some)
            return self._only_down(some, floor, saved) if second.values is None else second
        return answer

    def _raise(self, some: Ints, floor: Floats, wanted: Bools) -> Bools:
        """Raise lower bounds above the floor where the quota leaves room; says which were raised."""
        used = np.bincount(self._group, weights=self._low, minlength=len(self._quota))
        raised = np.zeros(len(some), dtype=np.bool_)
        for place in np.flatnonzero(wanted):
            column = some[place]
            group, target = self._group[column], floor[place] + 1
            more = target - self._low[column]
            if used[group] + more <= self._quota[group] and target <= self._high[column]:
                used[group] += more
                self._low[column] = target
                raised[place] = True
        return raised

    def _only_down(self, some: Ints, floor: Floats, saved: tuple[Floats, Floats]) -> Answer:
        """Rounding up was infeasible (orders under way fill the quota): round all of them down."""
        self._low[some] = saved[0]
        self._high[some] = np.maximum(floor, saved[0])
        return self._solve(some)

    def _solve(self, some: Ints) -> Answer:
        self._solver.bound(self._columns[some], self._low[some], self._high[some])
        return self._solver.linear()


def unserved(programme: Programme, answer: Answer) -> float:
    """Everything that an answer leaves unmet, in the units of its columns; 0 when nothing is."""
    if answer.values is None:
        return np.inf
    columns = programme.columns
    blocks = (columns.s, columns.v, columns.floor_gap, columns.over_budget)
    return float(sum(answer.values[block.start : block.end].sum() for block in blocks))
