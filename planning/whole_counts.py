"""Ways to whole replica counts: as everything stands, by dives, by branch and bound.

Whatever counts come out are priced with ρ at exactly those counts, and repaired upwards where that
leaves demand unserved, so an answer never claims more than its pools can carry.
"""

from __future__ import annotations

import numpy as np

from planning.arrays import Floats
from planning.dive import WHOLE, Dive, DiveStyle, unserved
from planning.highs import Answer
from planning.sized import SizedProgramme

_UP = DiveStyle(share=1.0, cut=0.0)
_NOTICEABLE = 1e-6


class WholeCounts:
    """Finds whole counts for one programme; every way leaves its bounds free behind it."""

    def __init__(self, sized: SizedProgramme) -> None:
        self._sized = sized
        self.nodes = 0

    def stay(self) -> Answer:
        """Everything as it stands, within limits: without it a dive's roundings would move pools for
        nothing while demand stands still."""
        instance = self._sized.instance
        moves = instance.moves
        if moves is None or not moves.initial.any():
            return Answer(values=None, objective=np.inf, bound=np.inf)
        stands = moves.initial[:, None] + moves.arriving.cumsum(axis=1)
        self._sized.fix(np.clip(stands, instance.lower, instance.upper).astype(np.float64))
        answer = self._whole_moves(self._sized.linear())
        self._sized.free()
        return answer

    def dive(self, relaxed: Answer, style: DiveStyle) -> Answer:
        """One dive from the relaxation."""
        return self._exact(self._dive(relaxed, style, self._sized.lower))

    def branch(self, start: Floats) -> Answer:
        """Branch and bound from a feasible point, within the limits."""
        found = self._sized.solver.whole(start)
        self.nodes += found.nodes
        self._sized.time_limited |= found.time_limited
        return self._exact(found)

    def _dive(self, start: Answer, style: DiveStyle, lower: Floats) -> Answer:
        sized = self._sized
        dive = Dive(sized.solver, sized.instance, sized.programme, lower=lower, upper=sized.upper)
        return dive.go(start, style)

    def _exact(self, answer: Answer) -> Answer:
        """The same counts priced with ρ at those counts, raised where that leaves more unserved."""
        sized = self._sized
        if answer.values is None:
            sized.free()
            return answer
        before = unserved(sized.programme, answer)
        counts = np.round(sized.counts(answer.values))
        sized.fix(counts)
        exact = sized.linear()
        if unserved(sized.programme, exact) > before + _NOTICEABLE:
            sized.bound(counts, sized.upper)
            raised = self._dive(sized.linear(), _UP, counts)
            if raised.values is not None:
                sized.fix(np.round(sized.counts(raised.values)))
                exact = sized.linear()
        exact = self._whole_moves(exact)
        sized.free()
        return exact

    def _whole_moves(self, answer: Answer) -> Answer:
        """Whole redeployments: with whole counts, starts and releases then follow whole."""
        programme, solver = self._sized.programme, self._sized.solver
        block = programme.columns.y
        if answer.values is None or block.start == block.end:
            return answer
        columns = block.index.ravel()
        moved = answer.values[columns]
        if np.abs(moved - np.round(moved)).max() <= WHOLE:
            return answer
        solver.bound(columns, np.floor(moved + WHOLE), np.floor(moved + WHOLE))
        whole = self._sized.linear()
        solver.bound(columns, programme.lower[columns], programme.upper[columns])
        return whole
