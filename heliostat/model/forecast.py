"""Forecasts: quantile paths of a series, their method and their scores.

Quantiles of regions do not add up to the quantile of the whole: aggregate series (origin
EVERYWHERE) are forecast on their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import SeriesKey

QUANTILE_LEVELS = (0.5, 0.9, 0.95, 0.99)
SCORED_HORIZONS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
"""Scored beside the first step: the bucket that *ends* that long after the forecast's start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One series, issued once: `mean[i][h]` is the `levels[i]` quantile of step h's mean rate.

    `peak[i][h]` is the same quantile of the largest 1-minute rate inside step h: what capacity
    must hold. Tokens per second. `degraded` says why a lesser method was used ("" = it was not).
    """

    key: SeriesKey
    issued_at: datetime
    start: datetime
    step: timedelta
    method: str
    trained_until: datetime
    levels: tuple[float, ...]
    mean: tuple[tuple[float, ...], ...]
    peak: tuple[tuple[float, ...], ...]
    degraded: str = ""

    def __post_init__(self) -> None:
        check_instant("forecast.issued_at", self.issued_at)
        check_instant("forecast.start", self.start)
        if tuple(sorted(set(self.levels))) != self.levels or not self.levels:
            raise InvalidInput("forecast.levels", f"{self.levels} must be distinct and ascending")
        lengths = {len(row) for row in (*self.mean, *self.peak)}
        if not len(self.mean) == len(self.peak) == len(self.levels) or len(lengths) != 1:
            raise InvalidInput("forecast", "needs one row per level, all of one length")

    @property
    def steps(self) -> int:
        """How many steps ahead it reaches."""
        return len(self.mean[0])

    def scaled(self, factor: float) -> Forecast:
        """The same forecast with every rate times a factor."""
        return replace(
            self,
            mean=tuple(tuple(rate * factor for rate in row) for row in self.mean),
            peak=tuple(tuple(rate * factor for rate in row) for row in self.peak),
        )

    def excerpt(self) -> ForecastExcerpt:
        """The part of it that is scored."""
        leads = scored_leads(self.step, self.steps)
        return ForecastExcerpt(
            key=self.key,
            issued_at=self.issued_at,
            start=self.start,
            step=self.step,
            method=self.method,
            trained_until=self.trained_until,
            levels=self.levels,
            leads=leads,
            mean=tuple(tuple(row[lead] for lead in leads) for row in self.mean),
        )

    @property
    def span(self) -> Span:
        """The time that it covers."""
        return Span(self.start, self.start + self.step * self.steps)

    def step_of(self, instant: datetime) -> int | None:
        """Which step holds that instant; None outside the forecast."""
        if instant not in self.span:
            return None
        return int((instant - self.start) / self.step)

    def level_index(self, level: float) -> int:
        """The row of the smallest issued level that is at least `level` (else the highest)."""
        for index, issued in enumerate(self.levels):
            if issued >= level - 1e-9:
                return index
        return len(self.levels) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastExcerpt:
    """What scoring needs of a forecast: a hundredth of it, where two days of them are read at once.

    `leads` counts whole steps after `start`; `mean[i][j]` is the `levels[i]` quantile of the mean
    rate, in tokens per second, in the bucket that begins `leads[j]` steps after `start`.
    """

    key: SeriesKey
    issued_at: datetime
    start: datetime
    step: timedelta
    method: str
    trained_until: datetime
    levels: tuple[float, ...]
    leads: tuple[int, ...]
    mean: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.levels) or {len(r) for r in self.mean} != {len(self.leads)}:
            raise InvalidInput("excerpt.mean", "needs one row per level, one value per lead")


@lru_cache(maxsize=64)
def scored_leads(step: timedelta, steps: int) -> tuple[int, ...]:
    """Which buckets of so long a forecast are scored: the first, and those that end at a horizon."""
    reached = {
        horizon // step - 1 for horizon in SCORED_HORIZONS if step <= horizon <= step * steps
    }
    return tuple(sorted({0, *reached}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastScore:
    """How forecasts of one series by one method fared at one horizon, over `scored` buckets.

    `wape` = Σ|error| / Σ truth of the median; `bias` = Σ error / Σ truth (positive = too high);
    `pinball` = mean quantile loss over all levels in tokens per second; `coverage` maps each level
    to the share of truths at or below it. Rates are None while Σ truth is 0.
    """

    key: SeriesKey
    method: str
    horizon: timedelta
    scored: int
    wape: float | None
    bias: float | None
    pinball: float
    coverage: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """Which method forecasts a series now, since when, and why it won."""

    key: SeriesKey
    method: str
    since: datetime
    reason: str
    losses: tuple[tuple[str, float], ...]
    """Rolling-origin pinball loss per candidate, the champion's own included."""
