"""What a policy would bill at exactly the level asked, seed by seed: searches end near it, not on it.

The bill moves along the policy's own slope: a straight line of ln GPU-hours by ln of the share missed,
through the settings around the level that the first seed lived.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np

from benchmarks.evidence.ledger import Ledger
from simulation.experiments.comparison import Point
from simulation.experiments.result import BILLED, JUDGED

_AROUND = 5.0
"""Settings that miss up to so many times what is allowed, or so small a part of it, tell the slope."""
_APART = 1.3
"""Where none misses this much more than another there is no slope to be seen."""
_STEEPEST = 1.0
_LEAST_MISSED = 1e-5


def slope_at(ledger: Ledger, role: str, policy: str, level: float) -> float | None:
    """Of ln GPU-hours by ln of the share missed, from 0 (a level line) down to −1; None = not known.

    From the settings lived there; where these are too close together, from those of the place where the
    policy was searched.
    """
    place = ledger.place(role)
    roles = (role, *((place.searched_on,) if place is not None and place.searched_on else ()))
    for one in roles:
        found = slope(_curve(ledger.points(one, policy), ledger.seeds[0]), 1 - level)
        if found is not None:
            return found
    return None


def slope(curve: Sequence[tuple[float, float]], allowed: float) -> float | None:
    """Of (share missed, GPU-hours) around what is allowed; None without settings far enough apart."""
    near = [
        (math.log(max(_LEAST_MISSED, missed)), math.log(billed))
        for missed, billed in curve
        if billed > 0 and allowed / _AROUND <= missed <= allowed * _AROUND
    ]
    missed = [place for place, _ in near]
    if len(near) < 2 or max(missed) - min(missed) < math.log(_APART):
        return None
    found = float(np.polyfit(missed, [billed for _, billed in near], 1)[0])
    return min(0.0, max(-_STEEPEST, found))


def at_level(point: Point, figure: str, level: float, slope: float) -> dict[int, float | None]:
    """A figure that grows with the fleet, by seed, told so that all seeds together miss what is allowed.

    A seed's own share, to first order around their mean, moves its own bill: so the luck of attainment is
    part of the interval, and cancels where two policies share it.
    """
    missed = {seed: 1 - kept for seed, kept in point.by_seed(JUDGED).items() if kept is not None}
    if not missed:
        return dict.fromkeys(point.by_seed(figure))
    mean = max(_LEAST_MISSED, fmean(missed.values()))
    whole = (mean / (1 - level)) ** -slope
    return {
        seed: value * whole * (1 - slope * (missed[seed] - mean) / mean)
        if value is not None and seed in missed
        else None
        for seed, value in point.by_seed(figure).items()
    }


def _curve(points: Iterable[Point], seed: int) -> list[tuple[float, float]]:
    runs: Iterable[Mapping[str, float | None]] = (
        point.results[seed].figures for point in points if seed in point.results
    )
    return [
        (1 - kept, billed)
        for run in runs
        if (kept := run.get(JUDGED)) is not None and (billed := run.get(BILLED)) is not None
    ]
