"""Small demand series with a known law, for the tests of forecasting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from forecasting.grid import Grid, LocalCalendar
from forecasting.panel import Panel
from heliostat.model.demand import DemandSeries
from heliostat.model.names import DemandKey, ModelName, RegionName, SeriesKey, Tier, TokenKind
from tests.builders import NOON, QUARTER

Floats = NDArray[np.float64]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def key(model: str = "a", origin: str = "east") -> SeriesKey:
    return SeriesKey(
        demand=DemandKey(
            origin=RegionName(origin), model=ModelName(model), tier=Tier.INTERACTIVE_FAST
        ),
        kind=TokenKind.INPUT,
    )


def rates(days: float, *, seed: int = 1, noise: float = 0.1, level: float = 1000.0) -> Floats:
    """A day's wave, a quieter weekend, and noise that lasts about three hours; ends at NOON."""
    rng = np.random.default_rng(seed)
    count = round(days * 96)
    starts = NOON.timestamp() - 900 * np.arange(count, 0, -1)
    turn = starts / 86_400
    weekend = (np.floor(turn) + 3) % 7 >= 5
    shocks = rng.normal(size=count) * noise
    errors = np.zeros(count)
    for i in range(1, count):
        errors[i] = 0.9 * errors[i - 1] + shocks[i]
    wave = np.exp(np.sin(2 * np.pi * turn) + errors)
    return level * wave * np.where(weekend, 0.4, 1.0)


def peaks_over(values: Floats, *, seed: int = 2) -> Floats:
    """The largest minute of each bucket: a tenth above its mean, sometimes much more."""
    rng = np.random.default_rng(seed)
    return values * (1.1 + rng.exponential(0.3, len(values)))


def demand(
    values: Floats,
    *,
    model: str = "a",
    end: datetime = NOON,
    step: timedelta = QUARTER,
    peaks: Floats | None = None,
) -> DemandSeries:
    """A series that ends then; NaN becomes None."""
    return DemandSeries(
        key=key(model),
        start=end - step * len(values),
        step=step,
        tokens_per_second=_holed(values),
        peak_tokens_per_second=_holed(peaks_over(values) if peaks is None else peaks),
    )


def _holed(values: Sequence[float] | Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def panel(*rows: Floats, end: datetime = NOON, step: timedelta = QUARTER) -> Panel:
    """A panel that ends then."""
    values = np.array(rows, dtype=np.float64)
    start = end - step * values.shape[1]
    return Panel(grid=Grid.of(start, step, LocalCalendar()), values=values, peaks=values * 1.2)
