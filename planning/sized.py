"""One programme in its solver with the usable share ρ as last taken, and bounds on its counts as last set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planning.arrays import Floats, Ints
from planning.highs import Answer, SolveLimits, Solver
from planning.milp.build import Programme, build
from planning.milp.instance import Instance

_NOTICEABLE = 1e-6
"""A smaller change of ρ is none."""


class SizedProgramme:
    """The linear relaxation of an instance; remembers ρ, and whether the fuse ever blew."""

    def __init__(self, instance: Instance, limits: SolveLimits) -> None:
        self.instance = instance
        self.share = instance.usable_at(instance.typical)
        self.programme: Programme = build(instance, self.share)
        self.solver = Solver(self.programme, limits)
        self.time_limited = False

    # --- solving -----------------------------------------------------------------------------

    def linear(self) -> Answer:
        """The relaxation as everything stands."""
        answer = self.solver.linear()
        self.time_limited |= answer.time_limited
        return answer

    def relax(self, times: int) -> Answer:
        """The relaxation with its duals, solved again so many times with ρ taken at the sizes just found."""
        answer = self.linear()
        for _ in range(times if np.ptp(self.instance.usable) > 0 else 0):
            if answer.values is None:
                break
            counts = self.counts(answer.values)
            self.use_share(
                self.instance.usable_at(np.where(counts > 0.5, counts, self.instance.typical))
            )
            answer = self.linear()
        if answer.values is None:
            return answer
        return replace(answer, row_duals=self.solver.row_duals())

    # --- the share ---------------------------------------------------------------------------

    def use_share(self, share: Floats) -> None:
        """Put ρ into the capacity and cover rows, where it changed."""
        changed = np.argwhere(np.abs(share - self.share) > _NOTICEABLE)
        self.share = share
        columns = self.programme.columns.n.index
        capacity = self._row_numbers("capacity", self.instance.pools)
        for pool, step in changed:
            column = int(columns[pool, step])
            self.solver.coefficient(int(capacity[pool, step]), column, -float(share[pool, step]))
        if not len(changed) or not self.instance.covers:
            return
        rows = self._row_numbers("cover", len(self.instance.covers))
        for number, cover in enumerate(self.instance.covers):
            for pool, weight in zip(cover.pools, cover.weight, strict=True):
                for step in range(self.instance.steps):
                    value = float(weight * share[pool, step])
                    self.solver.coefficient(
                        int(rows[number, step]), int(columns[pool, step]), value
                    )

    def _row_numbers(self, kind: str, items: int) -> Ints:
        first, end = self.programme.row_kinds[kind]
        return np.arange(first, end).reshape(items, self.instance.steps)

    # --- the counts --------------------------------------------------------------------------

    def counts(self, values: Floats) -> Floats:
        """Replicas by pool and step at a point."""
        return self.programme.columns.n.of(values)

    @property
    def lower(self) -> Floats:
        """The programme's own lower bounds of the counts."""
        return self.programme.lower[self.programme.columns.n.index]

    @property
    def upper(self) -> Floats:
        """The programme's own upper bounds of the counts."""
        return self.programme.upper[self.programme.columns.n.index]

    def bound(self, lower: Floats, upper: Floats) -> None:
        """Let the counts move between these bounds only."""
        columns = self.programme.columns.n.index.ravel()
        self.solver.bound(columns, lower.ravel(), upper.ravel())

    def fix(self, counts: Floats) -> None:
        """Keep the counts as they are, with ρ taken at them."""
        self.use_share(self.instance.usable_at(counts))
        self.bound(counts, counts)

    def free(self) -> None:
        """Let the counts move as far as the instance does."""
        self.bound(self.lower, self.upper)
