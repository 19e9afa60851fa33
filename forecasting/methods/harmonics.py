"""The season's regressors: Fourier terms of day and week, and days off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forecasting.grid import DAY_SECONDS, Floats, Grid, Ints, LocalCalendar

_DAYS_KEPT = 256
"""Days of regressors in each process; one by quarters of an hour takes 17 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonics:
    """How fine the season is: pairs of sine and cosine a day, a week, and a day for days off alone.

    `days_off` None leaves days off out, 0 gives them a level of their own, k a shape as well.
    """

    daily: int = 5
    weekly: int = 3
    days_off: int | None = 2

    def design(self, grid: Grid, buckets: Ints) -> Floats:
        """The regressors x(t), shape (buckets, columns); the first is constant."""
        local = grid.calendar.local_seconds(grid.epochs(buckets)) + grid.step // 2
        day, week = local / DAY_SECONDS, local / (7 * DAY_SECONDS)
        columns = [np.ones(len(buckets)), *_waves(day, self.daily), *_waves(week, self.weekly)]
        if self.days_off is not None:
            off = grid.calendar.days_off(local)
            columns += [off, *(off * wave for wave in _waves(day, self.days_off))]
        return np.stack(columns, axis=1)

    def rows(self, grid: Grid, first: int, end: int) -> Floats:
        """`design` of the buckets from `first` up to `end`, put together from remembered days."""
        since, phase = divmod(grid.start, grid.step)
        day, skipped = divmod(since + first, grid.per_day)
        count = skipped + end - first
        days = [
            _day(self, grid.calendar, grid.step, phase, day + later)
            for later in range(max(1, -(-count // grid.per_day)))
        ]
        return np.concatenate(days)[skipped:count]


@lru_cache(maxsize=_DAYS_KEPT)
def _day(harmonics: Harmonics, calendar: LocalCalendar, step: int, phase: int, day: int) -> Floats:
    """The regressors of one day (UTC) of buckets that begin `phase` seconds late, read-only."""
    grid = Grid(start=day * DAY_SECONDS + phase, step=step, calendar=calendar)
    rows = harmonics.design(grid, np.arange(grid.per_day))
    rows.flags.writeable = False
    return rows


def _waves(turns: Floats, count: int) -> list[Floats]:
    angles = [2 * np.pi * k * turns for k in range(1, count + 1)]
    return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
