"""Split-conformal quantiles from a method's errors on rolling origins.

A score is the error relative to the forecast, (truth - forecast) / (forecast + a twentieth of the
series' mean), so that one table serves trough and peak of the day. Peaks are first divided by the
usual ratio of a bucket's largest minute to its mean, and have a table of their own. The q-quantile
of n scores is the ceil((n + 1)·q)-th smallest (Lei et al., Distribution-free predictive inference
for regression, 2018, section 2); with fewer than 1 / (1 - q) scores it is the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.means import observed_mean

_FLOOR_SHARE = 0.05
_FEWEST_SCORES = 12
_MOST_GROWTH = 2.0

PRIOR_LEVELS = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)
PRIOR_SCORES = (-1.0, 0.0, 0.5, 0.75, 1.5, 2.0)
PRIOR_PEAK_RATIO = 1.5
"""Assumed until twelve errors, or a peak, were seen: a bursty service's, chosen wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Score quantiles of one series: `mean[l, q]` and `peak[l, q]` at lead `leads[l]`.

    Each table holds measured scores up to the lead (in steps) that `mean_until` and `peak_until` name,
    and widens past it. `floor` (tokens per second) is added to the forecast when scores become rates;
    `peak_ratio` is the usual peak over its mean. `peaks_seen` and `scored` say what it rests on.
    """

    leads: Ints
    mean: Floats
    peak: Floats
    mean_until: int
    peak_until: int
    floor: float
    peak_ratio: float
    peaks_seen: bool
    scored: int


def lead_ladder(longest: int) -> Ints:
    """About three leads per doubling, 1 … longest: where scores are collected."""
    rungs = {round(2 ** (third / 3)) for third in range(3 * 20)}
    return np.array(sorted({rung for rung in rungs if rung < longest} | {longest}), dtype=np.int64)


def floors(values: Floats) -> Floats:
    """A twentieth of each row's mean observed rate; at least a millionth, so that zeros can be scored."""
    mean = np.nan_to_num(observed_mean(values, axis=1))
    floor: Floats = np.maximum(_FLOOR_SHARE * mean, 1e-6)
    return floor


def peak_ratios(values: Floats, peaks: Floats) -> Floats:
    """The median over buckets of largest minute ÷ mean, per row, at least 1; assumed where unseen."""
    ratios = np.full(len(values), PRIOR_PEAK_RATIO)
    for row, (mean, peak) in enumerate(zip(values, peaks, strict=True)):
        known = (mean > 0) & ~np.isnan(peak)
        if known.any():
            ratios[row] = max(1.0, float(np.median(peak[known] / mean[known])))
    return ratios


def scores(truth: Floats, forecast: Floats, floor: Floats) -> Floats:
    """Relative errors; shapes (series, origins, leads) and floor (series,); NaN where unknown."""
    return (truth - forecast) / (forecast + floor[:, None, None])


def score_table(errors: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles (leads, levels) of one series' scores (origins, leads), neighbouring leads pooled.

    A lead with fewer than twelve scores gets the last table before it that has them, else the assumed one.
    """
    assumed = np.interp(levels, PRIOR_LEVELS, PRIOR_SCORES)
    table = np.empty((errors.shape[1], len(levels)))
    for lead in range(errors.shape[1]):
        pool = _pool(errors, lead)
        if len(pool) >= _FEWEST_SCORES:
            pool = np.sort(pool)
            ranks = np.ceil((len(pool) + 1) * np.array(levels)).astype(np.int64)
            table[lead] = pool[np.minimum(ranks, len(pool)) - 1]
        else:
            table[lead] = table[lead - 1] if lead else assumed
    return table


def scored_until(errors: Floats, leads: Ints) -> int:
    """The last of the leads at which `score_table` has twelve scores.

    The longest lead if none has them: the assumed quantiles hold for every lead and do not widen.
    """
    for lead in reversed(range(len(leads))):
        if len(_pool(errors, lead)) >= _FEWEST_SCORES:
            return int(leads[lead])
    return int(leads[-1])


def _pool(errors: Floats, lead: int) -> Floats:
    """The known scores at one lead and the leads beside it."""
    pool = errors[:, max(0, lead - 1) : lead + 2].ravel()
    return pool[~np.isnan(pool)]


def quantile_paths(
    centre: Floats, calibrations: list[Calibration], leads: Ints
) -> tuple[Floats, Floats]:
    """Mean and peak quantiles (series, levels, leads), tokens per second, from centres (series, leads).

    Tables are interpolated over the logarithm of the lead; past the last lead that was scored they
    widen with its square root, at most twofold. Never negative, never falling over the levels, and
    no peak below its mean.
    """
    weights = _interpolation(calibrations[0].leads, leads)
    floor = np.array([one.floor for one in calibrations])[:, None, None]
    scale = centre[:, None, :] + floor
    both = []
    for tables, until in (
        ([one.mean for one in calibrations], [one.mean_until for one in calibrations]),
        ([one.peak for one in calibrations], [one.peak_until for one in calibrations]),
    ):
        path = np.matmul(weights, np.array(tables)).transpose(0, 2, 1)
        path = path * _growth(until, leads)[:, None, :]
        path = np.maximum(centre[:, None, :] + path * scale, 0.0)
        both.append(np.maximum.accumulate(path, axis=1))
    mean, peak = both
    ratio = np.array([one.peak_ratio for one in calibrations])[:, None, None]
    return mean, np.maximum(ratio * peak, mean)


def _interpolation(known: Ints, wanted: Ints) -> Floats:
    """(wanted, known): linear weights over log(lead)."""
    identity = np.eye(len(known))
    logs, targets = np.log(known), np.log(wanted)
    return np.stack([np.interp(targets, logs, column) for column in identity], axis=1)


def _growth(until: list[int], wanted: Ints) -> Floats:
    """(series, wanted): by how much scores widen past the last lead at which they were measured."""
    grown: Floats = np.clip(np.sqrt(wanted / np.array(until)[:, None]), 1.0, _MOST_GROWTH)
    return grown
