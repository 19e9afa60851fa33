"""What a policy would bill at exactly the level asked, seed by seed: searches end near it, not on it.

The bill moves along the policy's own slope: a straight line of ln GPU-hours by ln of the share missed,
through the settings around the level, each seed's settings beside that seed's own mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.evidence.ledger import Ledger
from simulation.experiments.comparison import Point
from simulation.experiments.result import BILLED, JUDGED

_AROUND = (2.0, 5.0)
"""Settings that miss up to so many times what is allowed, or so small a part of it, tell the slope: near
ones, else those further away."""
_APART = 1.3
"""Where no seed has settings of which one misses this much more than another there is no slope to be seen."""
_STEEPEST = 1.0
_UNKNOWN_ERROR = 0.5
"""Of a slope through so few settings that they leave nothing to tell its error by: this share of it."""
_LEAST_MISSED = 1e-5

Curve = Sequence[tuple[float, float]]
"""Of one seed: the share missed and the GPU-hours of each setting."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Of ln GPU-hours by ln of the share missed, from 0 (a level line) down to −1, and its standard error."""

    value: float
    error: float


def slope_at(ledger: Ledger, role: str, policy: str, level: float) -> Slope | None:
    """From the settings that the policy ran there; where these are too close together, from those of the
    place where it was searched. None = not known."""
    place = ledger.place(role)
    roles = (role, *((place.searched_on,) if place is not None and place.searched_on else ()))
    for one in roles:
        curves = _curves(ledger.points(one, policy))
        for around in _AROUND:
            found = slope(curves, 1 - level, around)
            if found is not None:
                return found
    return None


def slope(curves: Iterable[Curve], allowed: float, around: float = _AROUND[-1]) -> Slope | None:
    """By least squares within seeds, over settings around what is allowed: how lucky a seed is says nothing.

    None without settings of one seed that are far enough apart.
    """
    near = [_near(curve, allowed, around) for curve in curves]
    seeds = [curve for curve in near if len(curve) > 1]
    if not any(max(curve)[0] - min(curve)[0] >= math.log(_APART) for curve in seeds):
        return None
    apart = [pair for curve in seeds for pair in _from_their_mean(curve)]
    spread = math.fsum(missed**2 for missed, _ in apart)
    fitted = math.fsum(missed * billed for missed, billed in apart) / spread
    value = min(0.0, max(-_STEEPEST, fitted))
    free = len(apart) - len(seeds) - 1
    if free < 1:
        return Slope(value, _UNKNOWN_ERROR * abs(value))
    off = math.fsum((billed - fitted * missed) ** 2 for missed, billed in apart)
    return Slope(value, math.sqrt(off / free / spread))


def doubt_at(point: Point, level: float, slope: Slope) -> float:
    """The standard error of ln GPU-hours at the level that comes from the slope's own."""
    missed = [1 - kept for kept in point.by_seed(JUDGED).values() if kept is not None]
    if not missed:
        return 0.0
    return slope.error * abs(math.log(max(_LEAST_MISSED, fmean(missed)) / (1 - level)))


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


def _near(curve: Curve, allowed: float, around: float) -> list[tuple[float, float]]:
    """Logarithms of the settings around what is allowed."""
    return [
        (math.log(max(_LEAST_MISSED, missed)), math.log(billed))
        for missed, billed in curve
        if billed > 0 and allowed / around <= missed <= allowed * around
    ]


def _from_their_mean(curve: Curve) -> list[tuple[float, float]]:
    missed, billed = (fmean(column) for column in zip(*curve, strict=True))
    return [(one - missed, other - billed) for one, other in curve]


def _curves(points: Iterable[Point]) -> list[list[tuple[float, float]]]:
    curves: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        for seed, run in point.results.items():
            kept, billed = run.figures.get(JUDGED), run.figures.get(BILLED)
            if kept is not None and billed is not None:
                curves.setdefault(seed, []).append((1 - kept, billed))
    return list(curves.values())
