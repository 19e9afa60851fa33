"""The figures of one load series: level, peaks, cycles and bursts. Missing bins are left out, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from simulation.columns import Floats
from simulation.workload.series import LoadSeries, observed

HOUR = timedelta(hours=1)
BURST_LEVELS = (0.5, 0.95, 0.99, 0.999, 1.0)
LEAST_BINS_PER_HOUR = 6
_SATURDAY = 5
LEAST_PAIRS = 24
"""An autocorrelation over fewer pairs of hours says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFigures:
    """What one series looks like; None = cannot be told from it.

    Rates are per second, of `unit` ("requests", or "input tokens" where nobody counted requests),
    over bins of `bin_seconds`. A last bin that is cut off is left out of mean, peak, trough and
    burstiness, unless it is the only one. Autocorrelations are those of hourly means. `burstiness`
    holds quantiles (level, value) of a bin's rate ÷ the median bin of its hour.
    """

    series_id: str
    unit: str
    start: datetime | None
    span_seconds: float
    bin_seconds: float
    missing_bins: int
    mean_per_second: float
    peak_per_second: float
    trough_per_second: float
    peak_to_trough: float | None
    autocorrelation_day: float | None
    autocorrelation_week: float | None
    burstiness: tuple[tuple[float, float], ...] | None
    requests: float | None
    mean_input_tokens: float | None
    mean_output_tokens: float | None


def series_figures(series: LoadSeries, *, cut_off: bool = False) -> SeriesFigures:
    """The figures of a series; `cut_off` when its last bin covers less than a whole step."""
    seconds = series.step.total_seconds()
    load = series.volume
    whole = load[:-1] if cut_off and len(load) > 1 else load
    known = whole[~np.isnan(whole)]
    peak = float(known.max()) / seconds if known.size else float("nan")
    trough = float(known.min()) / seconds if known.size else float("nan")
    hourly = hourly_means(load, series.step)
    return SeriesFigures(
        series_id=series.series_id,
        unit="requests" if load is series.requests else "input tokens",
        start=series.start,
        span_seconds=series.span.total_seconds(),
        bin_seconds=seconds,
        missing_bins=int(np.isnan(load).sum()),
        mean_per_second=float(known.mean()) / seconds if known.size else float("nan"),
        peak_per_second=peak,
        trough_per_second=trough,
        peak_to_trough=peak / trough if trough > 0 else None,
        autocorrelation_day=autocorrelation(hourly, 24),
        autocorrelation_week=autocorrelation(hourly, 168),
        burstiness=burstiness(whole, series.step),
        requests=float(np.nansum(series.requests)) if observed(series.requests) else None,
        mean_input_tokens=_mean_length(series.requests, series.input_tokens),
        mean_output_tokens=_mean_length(series.requests, series.output_tokens),
    )


def hourly_means(load: Floats, step: timedelta) -> Floats:
    """Mean bin of each whole hour; NaN where a bin is missing. [] for bins longer than an hour."""
    per_hour = int(HOUR / step)
    if not per_hour or HOUR % step:
        return np.empty(0)
    hours = len(load) // per_hour
    return np.asarray(load[: hours * per_hour].reshape(hours, per_hour).mean(axis=1))


def autocorrelation(hourly: Floats, lag: int) -> float | None:
    """Correlation of hours with the hours `lag` before; None on too few pairs or a flat load."""
    earlier, later = hourly[:-lag], hourly[lag:]
    both = ~np.isnan(earlier) & ~np.isnan(later)
    earlier, later = earlier[both], later[both]
    if len(earlier) < LEAST_PAIRS or not np.ptp(earlier) or not np.ptp(later):
        return None
    return float(np.corrcoef(earlier, later)[0, 1])


def weekday_peak_to_trough(series: LoadSeries) -> float | None:
    """Busiest ÷ quietest hour of a weekday, the median of those that are whole; days begin at the series'
    first hour. None without one, or where the quietest hours are empty."""
    hourly = hourly_means(series.volume, series.step)
    found = []
    for first in range(0, len(hourly) - 23, 24):
        begins = None if series.start is None else series.start + first * HOUR
        day = hourly[first : first + 24]
        if (begins is None or begins.weekday() < _SATURDAY) and day.min() > 0:
            found.append(float(day.max() / day.min()))
    return float(np.median(found)) if found else None


def burstiness(load: Floats, step: timedelta) -> tuple[tuple[float, float], ...] | None:
    """Quantiles of a bin ÷ the median bin of its hour; None for bins above ten minutes or no load."""
    per_hour = int(HOUR / step)
    if per_hour < LEAST_BINS_PER_HOUR or HOUR % step:
        return None
    ratios: list[Floats] = []
    for first in range(0, len(load), per_hour):
        hour = load[first : first + per_hour]
        known = hour[~np.isnan(hour)]
        if known.size >= LEAST_BINS_PER_HOUR and (median := float(np.median(known))) > 0:
            ratios.append(known / median)
    if not ratios:
        return None
    every = np.concatenate(ratios)
    return tuple((level, float(np.quantile(every, level))) for level in BURST_LEVELS)


def _mean_length(requests: Floats, tokens: Floats) -> float | None:
    both = ~np.isnan(requests) & ~np.isnan(tokens)
    count = float(requests[both].sum())
    return float(tokens[both].sum()) / count if count else None
