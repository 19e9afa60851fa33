"""Solve one instance: relaxation → dives → limited branch and bound; keep the better, say how good it is.

The usable share ρ grows with a pool's size, which no linear row can say. The relaxation is solved
a few times, each with ρ taken at the sizes found before. Whatever whole counts come out (of dives, and as
everything stands) are then
priced with ρ at exactly those counts, and repaired upwards where that leaves demand unserved, so
an answer never claims more than its pools can carry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heliostat.clock import cpu_seconds
from heliostat.model.plan import SolveReport
from planning.dive import WHOLE, Dive, DiveStyle, unserved
from planning.highs import Answer, Limits, Solver
from planning.milp.build import Programme, build
from planning.milp.columns import Block
from planning.milp.instance import Floats, Instance, Ints

_UP = DiveStyle(share=1.0, cut=0.0)
_NOTICEABLE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveSettings:
    """How hard to try: `styles` are the dives, `linearisations` how often ρ is taken anew."""

    limits: Limits = Limits()
    styles: tuple[DiveStyle, ...] = (
        DiveStyle(),
        DiveStyle(share=0.25, cut=0.2),
        DiveStyle(cut=0.4),
    )
    linearisations: int = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Whole replica counts and what goes with them; shapes as in `Instance`, dollars over the horizon.

    `row_duals` are those of the relaxation (by row kind, flat); `share` is ρ at `replicas`.
    """

    replicas: Ints
    starts: Ints
    releases: Ints
    redeploys: Ints
    flows: Floats
    shortage: Floats
    uncovered: Floats
    below_floor: Floats
    over_budget: Floats
    share: Floats
    row_duals: dict[str, Floats]
    report: SolveReport


def solve(
    instance: Instance,
    settings: SolveSettings | None = None,
    *,
    stopwatch: Callable[[], float] = cpu_seconds,
) -> Solution | None:
    """The best answer found; None when no whole counts satisfy quotas and upper bounds.

    `stopwatch` gives CPU seconds for the report; the answer does not depend on it.
    """
    return _Attempt(instance, settings or SolveSettings(), stopwatch).run()


class _Attempt:
    """One solve, with the programme in its solver and the best answer so far."""

    def __init__(
        self, instance: Instance, settings: SolveSettings, stopwatch: Callable[[], float]
    ) -> None:
        self._instance = instance
        self._settings = settings
        self._stopwatch = stopwatch
        self._began = stopwatch()
        self._share = instance.usable_at(instance.typical)
        self._programme: Programme = build(instance, self._share)
        self._solver = Solver(self._programme, settings.limits)
        self._best: Answer | None = None
        self._nodes = 0
        self._time_limited = False

    def run(self) -> Solution | None:
        relaxed = self._relax()
        if relaxed.values is None:
            return None
        linear_share = self._share
        self._keep(self._stay())
        for style in self._settings.styles:
            self._use_share(linear_share)
            self._keep(self._dive(relaxed, style))
        if self._worth_branching(relaxed):
            self._use_share(linear_share)
            self._keep(self._branch())
        if self._best is None:
            return None
        return self._solution(relaxed, self._best)

    # --- relaxation --------------------------------------------------------------------------

    def _relax(self) -> Answer:
        answer = self._linear()
        for _ in range(self._settings.linearisations if np.ptp(self._instance.usable) > 0 else 0):
            if answer.values is None:
                break
            counts = self._programme.columns.n.of(answer.values)
            self._use_share(
                self._instance.usable_at(np.where(counts > 0.5, counts, self._instance.typical))
            )
            answer = self._linear()
        return answer

    def _use_share(self, share: Floats) -> None:
        """Put ρ into the capacity and cover rows, where it changed."""
        changed = np.argwhere(np.abs(share - self._share) > _NOTICEABLE)
        self._share = share
        columns = self._programme.columns.n.index
        capacity = self._row_numbers("capacity", self._instance.pools)
        for pool, step in changed:
            column = int(columns[pool, step])
            self._solver.coefficient(int(capacity[pool, step]), column, -float(share[pool, step]))
        if not len(changed) or not self._instance.covers:
            return
        rows = self._row_numbers("cover", len(self._instance.covers))
        for number, cover in enumerate(self._instance.covers):
            for pool, weight in zip(cover.pools, cover.weight, strict=True):
                for step in range(self._instance.steps):
                    value = float(weight * share[pool, step])
                    self._solver.coefficient(
                        int(rows[number, step]), int(columns[pool, step]), value
                    )

    def _row_numbers(self, kind: str, items: int) -> Ints:
        first, end = self._programme.row_kinds[kind]
        return np.arange(first, end).reshape(items, self._instance.steps)

    # --- whole numbers -----------------------------------------------------------------------

    def _dive(self, relaxed: Answer, style: DiveStyle) -> Answer:
        return self._exact(self._dive_from(relaxed, style, self._lower(), self._upper()))

    def _dive_from(self, start: Answer, style: DiveStyle, lower: Floats, upper: Floats) -> Answer:
        dive = Dive(self._solver, self._instance, self._programme, lower=lower, upper=upper)
        return dive.go(start, style)

    def _exact(self, answer: Answer) -> Answer:
        """The same counts priced with ρ at those counts, raised where that leaves more unserved."""
        if answer.values is None:
            self._bound_counts(self._lower(), self._upper())
            return answer
        before = unserved(self._programme, answer)
        counts = np.round(self._programme.columns.n.of(answer.values))
        self._use_share(self._instance.usable_at(counts))
        self._bound_counts(counts, counts)
        exact = self._linear()
        if unserved(self._programme, exact) > before + _NOTICEABLE:
            self._bound_counts(counts, self._upper())
            raised = self._dive_from(self._linear(), _UP, counts, self._upper())
            if raised.values is not None:
                counts = np.round(self._programme.columns.n.of(raised.values))
                self._use_share(self._instance.usable_at(counts))
                self._bound_counts(counts, counts)
                exact = self._linear()
        exact = self._whole_moves(exact)
        self._bound_counts(self._lower(), self._upper())
        return exact

    def _whole_moves(self, answer: Answer) -> Answer:
        """Whole redeployments: with whole counts, starts and releases then follow whole."""
        block = self._programme.columns.y
        if answer.values is None or block.start == block.end:
            return answer
        columns = block.index.ravel()
        moved = answer.values[columns]
        if np.abs(moved - np.round(moved)).max() <= WHOLE:
            return answer
        self._solver.bound(columns, np.floor(moved + WHOLE), np.floor(moved + WHOLE))
        whole = self._linear()
        self._solver.bound(columns, self._programme.lower[columns], self._programme.upper[columns])
        return whole

    def _stay(self) -> Answer:
        """Everything as it stands, within limits: without it a dive's roundings would move pools for
        nothing while demand stands still."""
        moves = self._instance.moves
        if moves is None or not moves.initial.any():
            return Answer(values=None, objective=np.inf, bound=np.inf)
        stands = moves.initial[:, None] + moves.arriving.cumsum(axis=1)
        counts = np.clip(stands, self._instance.lower, self._instance.upper).astype(np.float64)
        self._use_share(self._instance.usable_at(counts))
        self._bound_counts(counts, counts)
        answer = self._whole_moves(self._linear())
        self._bound_counts(self._lower(), self._upper())
        return answer

    def _worth_branching(self, relaxed: Answer) -> bool:
        limits = self._settings.limits
        if self._best is None or not limits.nodes:
            return False
        if int(self._programme.whole.sum()) > limits.most_whole:
            return False
        return self._best.objective - relaxed.objective > limits.good_gap * abs(relaxed.objective)

    def _branch(self) -> Answer:
        assert self._best is not None
        assert self._best.values is not None
        found = self._solver.whole(self._best.values)
        self._nodes += found.nodes
        self._time_limited |= found.time_limited
        return self._exact(found)

    # --- small things ------------------------------------------------------------------------

    def _linear(self) -> Answer:
        answer = self._solver.linear()
        self._time_limited |= answer.time_limited
        return answer

    def _keep(self, answer: Answer) -> None:
        if answer.values is None:
            return
        if self._best is None or answer.objective < self._best.objective - _NOTICEABLE:
            self._best = answer

    def _lower(self) -> Floats:
        return self._programme.lower[self._programme.columns.n.index]

    def _upper(self) -> Floats:
        return self._programme.upper[self._programme.columns.n.index]

    def _bound_counts(self, lower: Floats, upper: Floats) -> None:
        columns = self._programme.columns.n.index.ravel()
        self._solver.bound(columns, lower.ravel(), upper.ravel())

    def _solution(self, relaxed: Answer, best: Answer) -> Solution:
        columns, values = self._programme.columns, best.values
        assert values is not None

        def whole(block: Block) -> Ints:
            return np.round(block.of(values)).astype(np.int64)

        duals = relaxed.row_duals if relaxed.row_duals is not None else np.zeros(0)
        replicas = whole(columns.n)
        return Solution(
            replicas=replicas,
            starts=whole(columns.u),
            releases=whole(columns.d),
            redeploys=whole(columns.y),
            flows=columns.x.of(values),
            shortage=columns.s.of(values),
            uncovered=columns.v.of(values),
            below_floor=columns.floor_gap.of(values),
            over_budget=columns.over_budget.of(values),
            share=self._instance.usable_at(replicas),
            row_duals={k: duals[a:b] for k, (a, b) in self._programme.row_kinds.items()},
            report=SolveReport(
                objective=best.objective,
                lp_bound=relaxed.objective,
                cpu_seconds=round(self._stopwatch() - self._began, 3),
                nodes=self._nodes,
                time_limited=self._time_limited,
            ),
        )
