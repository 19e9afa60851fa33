"""Means with 95 % intervals over seeds, and of differences between two policies on the same seeds.

Student's t: with few seeds the normal quantile would claim too much (5 seeds: 2.78 instead of 1.96).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over `count` seeds; `low` and `high` are None with a single seed, which has no spread."""

    mean: float
    low: float | None
    high: float | None
    count: int

    def as_mapping(self) -> dict[str, float | None]:
        """Plain values, ready for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One policy's figure less another's, seed by seed; `relative` = mean ÷ the other's mean.

    `excludes_zero` is None with a single pair: nothing can be said then.
    """

    estimate: Estimate
    relative: float | None
    excludes_zero: bool | None


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """The mean of the known values; None when none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    count, mean = len(known), math.fsum(known) / len(known)
    if count == 1:
        return Estimate(mean=mean, low=None, high=None, count=1)
    variance = math.fsum((value - mean) ** 2 for value in known) / (count - 1)
    half = _quantile(count - 1) * math.sqrt(variance / count)
    return Estimate(mean=mean, low=mean - half, high=mean + half, count=count)


def difference(
    ours: Mapping[int, float | None], theirs: Mapping[int, float | None]
) -> Difference | None:
    """Ours less theirs over the seeds on which both are known; None when there is no such seed.

    Pairing removes what both share: the demand and the luck of the clouds of a seed.
    """
    pairs = [
        (mine, other)
        for seed in sorted(ours.keys() & theirs.keys())
        if (mine := ours[seed]) is not None and (other := theirs[seed]) is not None
    ]
    found = estimate([mine - other for mine, other in pairs])
    if found is None:
        return None
    base = math.fsum(other for _, other in pairs) / len(pairs)
    excludes = None
    if found.low is not None and found.high is not None:
        excludes = found.low > 0 or found.high < 0
    return Difference(
        estimate=found,
        relative=found.mean / base if base else None,
        excludes_zero=excludes,
    )


@lru_cache(maxsize=64)
def _quantile(freedom: int) -> float:
    """Half the width of the interval in standard errors."""
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom))
