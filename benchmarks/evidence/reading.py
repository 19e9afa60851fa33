"""Asks a ledger: where a policy stands at equal SLO, and how much it gains over another, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.evidence.equalising import Slope, at_level, doubt_at, slope_at
from benchmarks.evidence.excerpts import ON_A100
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.wording import AS_RUN, NOTHING, change
from simulation.experiments.ceilings import LINEAR, LP_GPU_HOURS
from simulation.experiments.comparison import Contest, Point, contest
from simulation.experiments.intervals import Estimate, estimate
from simulation.experiments.result import BILLED, JUDGED
from simulation.experiments.spec import PolicySpec

_GROW_WITH_THE_FLEET = (BILLED, ON_A100)
_NORMAL_95 = 1.96
_LITTLE = 0.8
"""A policy that misses less than this share of what it may could have been cheaper."""
_NEAR = 1.1
"""A setting that misses at most so many times what it may is near enough to be adjusted to the level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A policy at its cheapest setting that reaches the level, or at its nearest miss.

    `reached` is true as well for a miss that is near enough for its bill to be adjusted to the level.
    `on_the_floor` = it keeps more than was asked already with the least headroom tried, so it may be
    cheaper than it is shown. `settled` = its search has ended; before that it may still move, and
    nothing is judged by it. `slope` is how its bill moves with what it misses (`equalising`), by which it is
    compared at exactly the `level`; None = not known: as it was run.
    """

    policy: str
    point: Point
    reached: bool
    on_the_floor: bool
    settled: bool = True
    level: float = 0.0
    slope: Slope | None = None

    def mean(self, figure: str) -> Estimate | None:
        """The figure over the seeds."""
        return self.point.mean(figure)

    def compared(self, figure: str) -> dict[int, float | None]:
        """The figure by seed, GPU-hours billed at exactly the level where the slope is known."""
        if figure not in _GROW_WITH_THE_FLEET or self.slope is None:
            return self.point.by_seed(figure)
        return at_level(self.point, figure, self.level, self.slope.value)

    def doubt(self, figure: str) -> float:
        """The standard error, as a share, by which the slope leaves such a figure in doubt."""
        if figure not in _GROW_WITH_THE_FLEET or self.slope is None:
            return 0.0
        return doubt_at(self.point, self.level, self.slope)

    def as_run(self) -> Standing:
        """The same without its slope."""
        return replace(self, slope=None)

    def value(self, figure: str) -> float | None:
        """Its mean alone."""
        found = self.point.mean(figure)
        return None if found is None else found.mean


def standing(ledger: Ledger, role: str, policy: str, level: float) -> Standing | None:
    """Over the seeds that it was compared by at that level there; None when it has no whole setting."""
    place = ledger.place(role)
    most = len(ledger.seeds) if place is None else place.levels.get(f"{level:g}", 0)
    points = ledger.points(role, policy, min(most, ledger.most_seeds(role, policy)))
    found = contest(PolicySpec(name=policy, policy=policy), points, level, BILLED)
    if found.point is None or not found.point.results:
        return None
    floored = _on_the_floor(ledger, role, found, level)
    near = found.reached or _is_near(found.point, level)
    slope = slope_at(ledger, role, policy, level) if near and not floored else None
    return Standing(
        policy=policy,
        point=found.point,
        reached=found.reached or slope is not None,
        on_the_floor=floored,
        settled=(role, policy, level) in ledger.settled,
        level=level,
        slope=slope,
    )


def cheapest(standings: Iterable[Standing | None]) -> Standing | None:
    """The one that bills least at the level, of those that reach it and whose search has ended; else the
    first that is known."""
    known = [one for one in standings if one is not None]
    judged = [one for one in known if one.reached and one.settled]
    return min(judged, key=_bill_at_the_level, default=known[0] if known else None)


def _bill_at_the_level(one: Standing) -> float:
    return fmean(bill for bill in one.compared(BILLED).values() if bill is not None)


def _is_near(point: Point, level: float) -> bool:
    kept = point.mean(JUDGED)
    return kept is not None and 1 - kept.mean <= _NEAR * (1 - level)


def _on_the_floor(ledger: Ledger, role: str, found: Contest, level: float) -> bool:
    """It misses much less than it may with the least headroom that was tried at all."""
    tried = ledger.points(role, found.policy.name)
    if found.point is None or len(tried) < 2 or tried[0].headroom != found.chosen:
        return False
    kept = found.point.mean(JUDGED)
    return kept is not None and 1 - kept.mean < _LITTLE * (1 - level)


def fixed(ledger: Ledger, role: str, policy: str) -> Standing | None:
    """A policy that was run at one setting with all seeds; None when it was not."""
    points = ledger.points(role, policy, len(ledger.seeds))
    if not points or not points[0].results:
        return None
    return Standing(policy=policy, point=points[0], reached=True, on_the_floor=False)


def relative(ours: Standing | None, theirs: Standing | None, figure: str) -> Estimate | None:
    """(ours - theirs) ÷ theirs, seed by seed, bills at exactly the level where both slopes are known.

    Seeds on which theirs is nothing are left out.
    """
    if ours is None or theirs is None:
        return None
    if not at_the_level(ours, theirs, figure):
        ours, theirs = ours.as_run(), theirs.as_run()
    found = estimate(_relatives(ours.compared(figure), theirs.compared(figure)))
    return doubted(found, math.hypot(ours.doubt(figure), theirs.doubt(figure)))


def at_the_level(ours: Standing, theirs: Standing, figure: str) -> bool:
    """Whether a change of the figure is told at exactly the level; as run where a slope is missing."""
    known = ours.slope is not None and theirs.slope is not None
    return known or figure not in _GROW_WITH_THE_FLEET


def told_change(ours: Standing | None, theirs: Standing | None, figure: str) -> str:
    """The change in words, with a mark where it is as run and not at exactly the level."""
    if ours is None or theirs is None:
        return NOTHING
    mark = "" if at_the_level(ours, theirs, figure) else AS_RUN
    return f"{change(relative(ours, theirs, figure))}{mark}"


def _relatives(ours: Mapping[int, float | None], theirs: Mapping[int, float | None]) -> list[float]:
    return [
        (mine - other) / other
        for seed in sorted(ours.keys() & theirs.keys())
        if (mine := ours[seed]) is not None and (other := theirs[seed])
    ]


def above_bound(ledger: Ledger, role: str, ours: Standing | None, level: float) -> Estimate | None:
    """What ours bills above the linear bound of that level, as a share of the bound, seed by seed."""
    if ours is None:
        return None
    bound = linear_point(ledger, role, level)
    if bound is None:
        return None
    found = estimate(_relatives(ours.compared(BILLED), bound.by_seed(LP_GPU_HOURS)))
    return doubted(found, ours.doubt(BILLED))


def linear_point(ledger: Ledger, role: str, level: float) -> Point | None:
    """The linear bound of a level; its headroom in the ledger is the level."""
    points = ledger.points(role, LINEAR.name)
    return next((point for point in points if point.headroom == level), None)


def widened(change: Estimate | None, by: float) -> Estimate | None:
    """A change whose interval reaches that much further to each side."""
    if change is None or change.low is None or change.high is None:
        return change
    return replace(change, low=change.low - by, high=change.high + by)


def doubted(change: Estimate | None, error: float) -> Estimate | None:
    """A change whose interval takes in another standard error, a share of what was changed to."""
    if change is None or change.low is None or change.high is None:
        return change
    by = _NORMAL_95 * error * (1 + change.mean)
    return replace(
        change,
        low=change.mean - math.hypot(change.mean - change.low, by),
        high=change.mean + math.hypot(change.high - change.mean, by),
    )


def gain_of(change: Estimate | None, *, fewer_is_better: bool = True) -> Estimate | None:
    """A relative change as a gain: more is better."""
    if change is None or not fewer_is_better:
        return change
    low = None if change.high is None else -change.high
    high = None if change.low is None else -change.low
    return Estimate(mean=-change.mean, low=low, high=high, count=change.count)


def changes(
    standings: Mapping[str, Standing | None], base: Standing | None
) -> list[tuple[str, Estimate | None]]:
    """Billed GPU-hours of everybody who reaches, against one of them, seed by seed."""
    return [
        (name, relative(one, base, BILLED))
        for name, one in standings.items()
        if one is not None and one.reached and (base is None or name != base.policy)
    ]


def frontiers(
    ledger: Ledger, role: str, policies: Iterable[str]
) -> dict[str, list[tuple[float, float, int]]]:
    """The frontier of each."""
    return {policy: frontier(ledger, role, policy) for policy in policies}


def frontier(ledger: Ledger, role: str, policy: str) -> list[tuple[float, float, int]]:
    """Billed GPU-hours, attainment and how many seeds, of every setting that was tried."""
    found = []
    for point in ledger.points(role, policy):
        billed, kept = point.mean(BILLED), point.mean(JUDGED)
        if billed is not None and kept is not None and point.whole:
            found.append((billed.mean, kept.mean, billed.count))
    return sorted(found)
