"""Solve one instance: relaxation → dives → limited branch and bound; keep the better, say how good it is.

The usable share ρ grows with a pool's size, which no linear row can say. The relaxation is solved
a few times, each with ρ taken at the sizes found before (`sized`); whole counts are priced with ρ at exactly
those counts (`whole_counts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heliostat.model.plan import SolveReport
from planning.arrays import Floats, Ints
from planning.dive import DiveStyle
from planning.highs import Answer, SolveLimits
from planning.milp.columns import Block
from planning.milp.instance import Instance
from planning.sized import SizedProgramme
from planning.whole_counts import WholeCounts

_NOTICEABLE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveSettings:
    """How hard to try: `styles` are the dives, `linearisations` how often ρ is taken anew."""

    limits: SolveLimits = SolveLimits()
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


Stopwatch = Callable[[], float]
"""CPU seconds of this process so far, for reports; no answer depends on them."""


def not_measured() -> float:
    """The stopwatch that measures nothing: reports say 0 CPU seconds, and are the same each time."""
    return 0.0


def solve(
    instance: Instance,
    settings: SolveSettings | None = None,
    *,
    stopwatch: Stopwatch = not_measured,
) -> Solution | None:
    """The best answer found; None when no whole counts satisfy quotas and upper bounds."""
    return _Attempt(instance, settings or SolveSettings(), stopwatch).run()


class _Attempt:
    """One solve, with the best answer so far."""

    def __init__(self, instance: Instance, settings: SolveSettings, stopwatch: Stopwatch) -> None:
        self._settings = settings
        self._stopwatch = stopwatch
        self._began = stopwatch()
        self._sized = SizedProgramme(instance, settings.limits)
        self._counts = WholeCounts(self._sized)
        self._best: Answer | None = None

    def run(self) -> Solution | None:
        relaxed = self._sized.relax(self._settings.linearisations)
        if relaxed.values is None:
            return None
        linear_share = self._sized.share
        self._keep(self._counts.stay())
        for style in self._settings.styles:
            self._sized.use_share(linear_share)
            self._keep(self._counts.dive(relaxed, style))
        start = self._worth_branching(relaxed)
        if start is not None:
            self._sized.use_share(linear_share)
            self._keep(self._counts.branch(start))
        return self._solution(relaxed, self._best) if self._best is not None else None

    def _keep(self, answer: Answer) -> None:
        if answer.values is None:
            return
        if self._best is None or answer.objective < self._best.objective - _NOTICEABLE:
            self._best = answer

    def _worth_branching(self, relaxed: Answer) -> Floats | None:
        """The best point so far, None where a branch and bound is not worth its time."""
        limits, best = self._settings.limits, self._best
        if best is None or not limits.nodes:
            return None
        if int(self._sized.programme.whole.sum()) > limits.most_whole:
            return None
        far = best.objective - relaxed.objective > limits.good_gap * abs(relaxed.objective)
        return best.values if far else None

    def _solution(self, relaxed: Answer, best: Answer) -> Solution:
        columns, values = self._sized.programme.columns, best.values
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
            share=self._sized.instance.usable_at(replicas),
            row_duals={k: duals[a:b] for k, (a, b) in self._sized.programme.row_kinds.items()},
            report=SolveReport(
                objective=best.objective,
                lp_bound=relaxed.objective,
                cpu_seconds=round(self._stopwatch() - self._began, 3),
                nodes=self._counts.nodes,
                time_limited=self._sized.time_limited,
            ),
        )
