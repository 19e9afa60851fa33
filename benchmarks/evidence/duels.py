"""Orderings side by side at the points of a sweep: who is ahead, paired over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.queues import Setting, policy_name
from benchmarks.evidence.reading import Standing
from simulation.experiments.comparison import Point
from simulation.experiments.intervals import Difference, Estimate, difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One point of a sweep."""

    scenario: str
    setting: Setting
    headroom: float

    def __str__(self) -> str:
        return f"{self.scenario}, {self.setting}, {self.headroom:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Ours against the rival with the highest mean at a spot; `change` = ours less theirs."""

    spot: Spot
    ours: Estimate
    rival: str
    theirs: Estimate
    change: Difference

    @property
    def ahead(self) -> bool:
        """The whole interval is above 0."""
        return self.change.excludes_zero is True and self.change.estimate.mean > 0

    @property
    def behind(self) -> bool:
        """The whole interval is below 0."""
        return self.change.excludes_zero is True and self.change.estimate.mean < 0


def spots(ledger: Ledger, scenarios: Iterable[str], settings: Iterable[Setting]) -> Iterator[Spot]:
    """Every point of these sweeps that was measured, in the order of the ledger."""
    by_name = {str(setting): setting for setting in settings}
    wanted = set(scenarios)
    seen = dict.fromkeys(
        (trial.scenario, trial.policy.partition(" | ")[2], trial.headroom)
        for trial in ledger.trials
        if trial.scenario in wanted
    )
    for scenario, name, headroom in seen:
        if name in by_name:
            yield Spot(scenario=scenario, setting=by_name[name], headroom=headroom)


def standing_at(ledger: Ledger, spot: Spot, ordering: str) -> Standing | None:
    """An ordering at a point; None when it was not measured there."""
    point = _point(ledger, spot, ordering)
    if point is None:
        return None
    return Standing(policy=ordering, point=point, reached=True, on_the_floor=False)


def figure_at(ledger: Ledger, spot: Spot, ordering: str, figure: str) -> Estimate | None:
    """A figure's mean over the seeds; None when it was not measured."""
    point = _point(ledger, spot, ordering)
    return None if point is None else point.mean(figure)


def duel(ledger: Ledger, spot: Spot, ours: str, rivals: Iterable[str], figure: str) -> Duel | None:
    """Ours against the best of the rivals there, more being better; None where either is missing."""
    mine = _point(ledger, spot, ours)
    found = [
        (mean.mean, rival, point, mean)
        for rival in rivals
        if (point := _point(ledger, spot, rival)) and (mean := point.mean(figure))
    ]
    if mine is None or not found:
        return None
    _, rival, point, theirs = max(found, key=lambda one: one[0])
    change = difference(mine.by_seed(figure), point.by_seed(figure))
    mean = mine.mean(figure)
    if change is None or mean is None:
        return None
    return Duel(spot=spot, ours=mean, rival=rival, theirs=theirs, change=change)


def _point(ledger: Ledger, spot: Spot, ordering: str) -> Point | None:
    points = ledger.points(spot.scenario, policy_name(ordering, spot.setting))
    return next((point for point in points if point.headroom == spot.headroom), None)
