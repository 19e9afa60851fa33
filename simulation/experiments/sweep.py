"""Where to look next for the least headroom that keeps the promise asked for.

A coarse grid first, then halving between the setting that reaches and the nearest one below it that
does not. Attainment need not grow with headroom: every point looked at is kept, and the choice is
among all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from simulation.experiments.spec import check_headroom


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Which headrooms are tried: all of `grid`, then up to `refinements` in between or above.

    An empty grid = the policy's own. Halving ends when two neighbours are closer than `closest`, or
    cost the same within `alike`. Where the whole grid misses, the highest headroom is doubled up
    to `highest`, as long as that changes anything.
    """

    grid: tuple[float, ...] = ()
    refinements: int = 4
    closest: float = 0.02
    alike: float = 0.01
    highest: float = 10.0

    def __post_init__(self) -> None:
        if tuple(sorted(set(self.grid))) != self.grid:
            raise InvalidInput("headroom", "the grid must hold distinct values in ascending order")
        for headroom in self.grid:
            check_headroom(headroom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One setting that was tried: mean attainment and cost, None where its runs failed."""

    headroom: float
    attainment: float | None
    cost: float | None

    def reaches(self, target: float) -> bool:
        """Whether it can be chosen."""
        return self.attainment is not None and self.cost is not None and self.attainment >= target


def cheapest(seen: Sequence[Seen], target: float) -> Seen | None:
    """The one that costs least of those that reach; of equals the one with the least headroom."""
    able = [one for one in seen if one.reaches(target)]
    return min(able, key=lambda one: (one.cost, one.headroom), default=None)


def nearest_miss(seen: Sequence[Seen]) -> Seen | None:
    """The best where none reaches: the highest attainment, of equals the cheapest."""
    able = [one for one in seen if one.attainment is not None and one.cost is not None]
    return max(
        able, key=lambda one: (one.attainment, -(one.cost or 0.0), -one.headroom), default=None
    )


def next_headroom(seen: Sequence[Seen], target: float, sweep: Sweep) -> float | None:
    """The headroom to try after these; None when nothing more is worth a run."""
    tried = {one.headroom for one in seen}
    for headroom in sweep.grid:
        if headroom not in tried:
            return headroom
    if len(tried - set(sweep.grid)) >= sweep.refinements:
        return None
    best = cheapest(seen, target)
    if best is None:
        return _above(seen, sweep) if nearest_miss(seen) else None
    return _between(seen, best, target, sweep)


def _above(seen: Sequence[Seen], sweep: Sweep) -> float | None:
    """Twice the highest, unless the last two settings were no different."""
    rising = sorted(seen, key=lambda one: one.headroom)
    alike = {(one.attainment, one.cost) for one in rising[-2:]}
    if len(rising) > 1 and len(alike) == 1:
        return None
    higher = round(2 * max(rising[-1].headroom, sweep.closest), 4)
    return higher if higher <= sweep.highest else None


def _between(seen: Sequence[Seen], best: Seen, target: float, sweep: Sweep) -> float | None:
    """The middle between the lowest that reaches around `best` and the miss right below it."""
    below = [o for o in seen if o.headroom < best.headroom and not o.reaches(target)]
    if not below:
        return None
    miss = max(below, key=lambda one: one.headroom)
    hit = min(
        (o for o in seen if o.headroom > miss.headroom and o.reaches(target)),
        key=lambda one: one.headroom,
    )
    if hit.headroom - miss.headroom < 2 * sweep.closest or _alike(hit, miss, sweep.alike):
        return None
    return round((hit.headroom + miss.headroom) / 2, 4)


def _alike(one: Seen, other: Seen, share: float) -> bool:
    if one.cost is None or other.cost is None:
        return False
    return abs(one.cost - other.cost) <= share * max(abs(one.cost), abs(other.cost))
