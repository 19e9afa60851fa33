"""Makes as many minutes as wanted out of a series of any length: prefix, tiles, or blocks of its minutes.

Weekdays stay weekdays where the series holds a week, hours stay hours where it holds a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from simulation.columns import Floats
from simulation.workload.published import DAY_SIGMA, HOUR_SIGMA

Index = NDArray[np.int64]

DAY = 24 * 60
WEEK = 7 * DAY
HOUR = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """How a series becomes minutes: `period` minutes of it are used, 0 = it holds no whole day.

    `dated`: the wanted minutes are those of the same dates, none is used twice.
    """

    period: int
    wanted: int
    sentence: str
    dated: bool = False


def plan_stretch(span: timedelta, wanted: int, aheads: Sequence[int] = ()) -> Stretch:
    """How to get `wanted` minutes out of a series of that span.

    `aheads` are the places of the first wanted minute in the series by its date, in every region;
    () when it has none.
    """
    minutes = int(span.total_seconds() // 60)
    if aheads and min(aheads) >= 0 and max(aheads) + wanted <= minutes:
        said = "The trace has the wanted dates: each local minute is that minute of the trace."
        return Stretch(period=minutes, wanted=wanted, sentence=said, dated=True)
    days = minutes // DAY
    need = wanted // DAY
    if days >= 7:
        if days >= need + 7:
            # The first weekday that fits lies at most a week into the series.
            said = f"Of {days} days, {need} consecutive days within the first {need + 7} are used."
            return Stretch(period=(need + 7) * DAY, wanted=wanted, sentence=said)
        weeks = days // 7
        said = (
            f"{weeks * 7} days are repeated to {need} days with weekdays kept; repeated days vary by a few "
            "per cent, so that no forecast is perfect."
        )
        return Stretch(period=weeks * WEEK, wanted=wanted, sentence=said)
    if days:
        said = (
            f"{days} day{'s' if days > 1 else ''} repeated to {need} days: hours are kept, a weekly "
            "cycle is not known; repeated days vary by a few per cent."
        )
        return Stretch(period=days * DAY, wanted=wanted, sentence=said)
    said = (
        f"{minutes} minutes are less than a day: hours and weekdays are synthesised from the shapes that "
        "SageServe publishes; the minutes within an hour are the trace's own, each hour starting "
        "at a different one."
    )
    return Stretch(period=0, wanted=wanted, sentence=said)


def places(stretch: Stretch, ahead: int) -> tuple[Index, Index]:
    """For each wanted minute which minute of the period it is, and its how-manieth use (0 = first).

    `ahead` is how many minutes the first wanted one lies after the series' first, on local clocks.
    """
    if stretch.dated:
        at = ahead + np.arange(stretch.wanted, dtype=np.int64)
        return at, np.zeros_like(at)
    cycle = WEEK if stretch.period >= WEEK else DAY
    at = ahead % cycle + np.arange(stretch.wanted, dtype=np.int64)
    return at % stretch.period, at // stretch.period


def vary_repeats(uses: Index, rng: Generator) -> Floats:
    """Factors per minute: 1 in a first use, round 1 by day and by hour in repeats."""
    days, hours = len(uses) // DAY + 1, len(uses) // HOUR + 1
    by_day = np.repeat(rng.lognormal(-(DAY_SIGMA**2) / 2, DAY_SIGMA, days), DAY)[: len(uses)]
    by_hour = np.repeat(rng.lognormal(-(HOUR_SIGMA**2) / 2, HOUR_SIGMA, hours), HOUR)[: len(uses)]
    return np.where(uses > 0, by_day * by_hour, 1.0)


def hourly_blocks(minutes: int, wanted: int, rng: Generator) -> Index:
    """For each wanted minute one of `minutes`: whole hours in order, each from a start of its own."""
    starts = rng.integers(0, minutes, wanted // HOUR + 1)
    return (np.repeat(starts, HOUR)[:wanted] + np.arange(wanted) % HOUR) % minutes


def as_minutes(column: Floats, step: timedelta) -> Floats:
    """Sums per bin as sums per minute, as long as whole minutes go; NaN where the bin is missing.

    Shorter bins are added up; longer ones are spread and joined by straight lines. Raises
    InvalidInput for bins below a minute that do not divide it.
    """
    seconds = step.total_seconds()
    if seconds == 60:
        return column
    if seconds < 60:
        if 60 % seconds:
            raise InvalidInput("bins", f"of {seconds:g} s do not add up to minutes")
        per = int(60 / seconds)
        whole = len(column) // per
        return np.asarray(column[: whole * per].reshape(whole, per).sum(axis=1))
    minutes = int(len(column) * seconds // 60)
    middles = (np.arange(minutes) + 0.5) * 60 / seconds
    known = ~np.isnan(column)
    if not known.any():
        return np.full(minutes, np.nan)
    bins = np.flatnonzero(known)
    lines = np.interp(middles, bins + 0.5, column[known]) * 60 / seconds
    return np.where(known[middles.astype(np.int64)], lines, np.nan)
