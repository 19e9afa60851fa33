"""Finds where a series' usable history begins: after its start and its last level shift.

A tenant that starts, stops or grows threefold overnight makes older history misleading; what is
left is shorter, and the order of degradation takes it from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting.grid import Floats, Grid, Ints
from forecasting.means import observed_mean

Flags = NDArray[np.bool_]

_RECENT_HOURS = 6
_LONGEST_FRESH_HOURS = 30
_MOST_DAYS = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRule:
    """When a level counts as new: every day (or 5 of the last 6 hours) beyond `factor` times, or
    below 1/`factor` of, what the same weekday (the same hour yesterday *and* last week) had.

    A series of which more than `restless` of all hours lie that far from the hour a day before
    has no level that could shift.
    """

    factor: float = 3.0
    restless: float = 0.15


@dataclass(frozen=True, slots=True)
class Memory:
    """Per series the first bucket worth knowing, and whether a level shift lies there.

    `begins` has the panel's length for a series without any measurement.
    """

    begins: Ints
    shifted: Flags


def find_memory(values: Floats, grid: Grid, rule: ShiftRule) -> Memory:
    """First bucket after leading silence and after the newest level shift, for each row."""
    series, length = values.shape
    begins = np.full(series, length, dtype=np.int64)
    observed = ~np.isnan(values)
    begins[observed.any(axis=1)] = observed.argmax(axis=1)[observed.any(axis=1)]
    active = np.nan_to_num(values) > 0
    # Zeros before the first request are a tenant that had not started, not its demand.
    begins[active.any(axis=1)] = active.argmax(axis=1)[active.any(axis=1)]
    known = np.where(np.arange(length) < begins[:, None], np.nan, values)
    hours = _means_backwards(known, grid.per_hour)
    days_ago = _shift_in_days(known, grid, rule.factor)
    hours_ago = _shift_in_hours(hours, rule.factor)
    calm = ~_is_restless(hours, rule)
    days_ago, hours_ago = days_ago * calm, hours_ago * calm
    back = np.where(hours_ago > 0, hours_ago * grid.per_hour, days_ago * grid.per_day)
    return Memory(np.where(back > 0, length - back, begins), back > 0)


def _shift_in_days(values: Floats, grid: Grid, factor: float) -> Ints:
    """Since how many whole days the level is new, 0 = it is not; compares equal weekdays.

    The oldest new day may be half old: with two or more it is left out.
    """
    days = _means_backwards(values, grid.per_day)
    found = np.zeros(len(values), dtype=np.int64)
    for since in range(1, min(_MOST_DAYS, days.shape[1] - 1) + 1):
        after = np.arange(since)
        before = after + 7 * -(-(since - after) // 7)
        if before.max() >= days.shape[1]:
            # With less than a week before the shift the nearest day must do.
            before = np.minimum(before, days.shape[1] - 1)
        ratios = _ratios(days[:, after], days[:, before])
        found[_beyond(ratios, factor, of=since)] = max(1, since - 1)
    return found


def _shift_in_hours(hours: Floats, factor: float) -> Ints:
    """How many hours ago the level shifted within the last 30, 0 = not at all; of hourly means."""
    found = np.zeros(len(hours), dtype=np.int64)
    if hours.shape[1] < 24 + _RECENT_HOURS:
        return found
    window = np.arange(min(_LONGEST_FRESH_HOURS, hours.shape[1]))
    against = [
        _ratios(hours[:, window], hours[:, lag + window])
        for lag in (24, 168)
        if lag + len(window) <= hours.shape[1]
    ]
    if not against:
        return found
    up = np.all([ratios > factor for ratios in against], axis=0)
    down = np.all([ratios < 1 / factor for ratios in against], axis=0)
    for beyond in (up, down):
        recent = beyond[:, :_RECENT_HOURS].sum(axis=1) >= _RECENT_HOURS - 1
        # The run goes back until two hours in a row are as they used to be.
        quiet = ~beyond & ~np.roll(beyond, -1, axis=1)
        run = np.where(quiet.any(axis=1), quiet.argmax(axis=1), len(window))
        found = np.where(recent & (run >= _RECENT_HOURS - 1), run, found)
    return found


def _is_restless(hours: Floats, rule: ShiftRule) -> Flags:
    """Whether leaps like a shift are everyday matters; one shift itself fills a day at most. Of hourly
    means."""
    ratios = _ratios(hours[:, :-24], hours[:, 24:])
    leaps = (ratios > rule.factor) | (ratios < 1 / rule.factor)
    known = (~np.isnan(ratios)).sum(axis=1)
    restless: Flags = np.maximum(leaps.sum(axis=1) - 24, 0) > rule.restless * known
    return restless


def _means_backwards(values: Floats, block: int) -> Floats:
    """Means of whole blocks counted from the end: column 0 is the newest; NaN where unobserved."""
    count = values.shape[1] // block
    blocks = values[:, values.shape[1] - count * block :].reshape(len(values), count, block)
    return observed_mean(blocks, axis=2)[:, ::-1]


def _ratios(after: Floats, before: Floats) -> Floats:
    """After ÷ before; infinite from nothing, NaN where both are nothing or either is unobserved."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios: Floats = after / before
    return ratios


def _beyond(ratios: Floats, factor: float, *, of: int) -> Flags:
    """Whether every day that can be compared lies beyond, and more than half of them can be."""
    known = ~np.isnan(ratios)
    enough = known.sum(axis=1) * 2 > of
    up = ((ratios > factor) | ~known).all(axis=1)
    down = ((ratios < 1 / factor) | ~known).all(axis=1)
    found: Flags = enough & (up | down)
    return found
