"""Forecasts as rows: quantiles are packed as float64, row after row, and read back to the last bit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row

from heliostat.model.forecast import Forecast, ForecastExcerpt, scored_leads
from heliostat.model.instants import from_epoch, to_epoch
from heliostat.model.names import SeriesKey

_Quantiles = tuple[tuple[float, ...], ...]

EXCERPT_COLUMNS = (
    "series",
    "issued_at",
    "start",
    "step_seconds",
    "method",
    "trained_until",
    "levels",
    "mean",
)
"""What an excerpt is made of: all but the peaks and the words."""


def row_of(forecast: Forecast, series: int) -> dict[str, object]:
    """The forecast as a row of the series with that number."""
    return {
        "series": series,
        "issued_at": to_epoch(forecast.issued_at),
        "start": to_epoch(forecast.start),
        "step_seconds": int(forecast.step.total_seconds()),
        "method": forecast.method,
        "trained_until": forecast.trained_until.isoformat(),
        "degraded": forecast.degraded,
        "levels": _packed((forecast.levels,)),
        "mean": _packed(forecast.mean),
        "peak": _packed(forecast.peak),
    }


def forecast_of(row: Row[Any], named: dict[int, SeriesKey]) -> Forecast:
    """The forecast in a row; `named` has its series' key."""
    levels = _unpacked(row.levels, 1)[0]
    return Forecast(
        key=named[row.series],
        issued_at=from_epoch(row.issued_at),
        start=from_epoch(row.start),
        step=timedelta(seconds=row.step_seconds),
        method=row.method,
        trained_until=datetime.fromisoformat(row.trained_until),
        levels=levels,
        mean=_unpacked(row.mean, len(levels)),
        peak=_unpacked(row.peak, len(levels)),
        degraded=row.degraded,
    )


def excerpt_of(row: Row[Any], named: dict[int, SeriesKey]) -> ForecastExcerpt:
    """The scored part of the forecast in a row of EXCERPT_COLUMNS."""
    levels = _unpacked(row.levels, 1)[0]
    mean = np.frombuffer(row.mean, "<f8").reshape(len(levels), -1)
    step = timedelta(seconds=row.step_seconds)
    leads = scored_leads(step, mean.shape[1])
    return ForecastExcerpt(
        key=named[row.series],
        issued_at=from_epoch(row.issued_at),
        start=from_epoch(row.start),
        step=step,
        method=row.method,
        trained_until=datetime.fromisoformat(row.trained_until),
        levels=levels,
        leads=leads,
        mean=tuple(map(tuple, mean[:, leads].tolist())),
    )


def _packed(rows: _Quantiles) -> bytes:
    return np.array(rows, "<f8").tobytes()


def _unpacked(data: bytes, rows: int) -> _Quantiles:
    return tuple(map(tuple, np.frombuffer(data, "<f8").reshape(rows, -1).tolist()))
