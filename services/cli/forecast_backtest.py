"""Replays the end of a trace through the forecaster, to see which method would have served it best."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np

from forecasting.backtest import BacktestPlan, backtest
from forecasting.families import FAMILIES
from forecasting.forecaster import SeasonalForecaster
from forecasting.settings import ForecasterSettings
from heliostat.errors import HeliostatError, InvalidInput, InvalidTrace
from heliostat.model.demand import BUCKET, DemandSeries
from heliostat.model.forecast import ForecastScore
from heliostat.model.instants import Span, ceil_to, from_epoch
from heliostat.model.names import DemandKey, ModelName, RegionName, SeriesKey, Tier, TokenKind
from simulation.workload.cells import FIRST_MONDAY
from simulation.workload.describe import without_roll_ups
from simulation.workload.load import load_trace
from simulation.workload.series import LoadSeries, observed
from simulation.workload.stretch import as_minutes

MINUTES = int(BUCKET / timedelta(minutes=1))


def backtest_series(
    trace: Path,
    *,
    days: int,
    every: timedelta,
    horizon: timedelta,
    most_series: int,
    family: str,
    skip_bad_rows: bool,
    on_series: Callable[[str], None],
) -> tuple[list[ForecastScore], list[str]]:
    """Scores of every method on the last days of the largest series, and what must be said.

    Raises InvalidInput on an unknown family, InvalidTrace when the file is too short.
    """
    if family not in FAMILIES:
        raise InvalidInput("--family", f"{family!r} is neither fast nor full")
    loaded = load_trace(trace, skip_bad_rows=skip_bad_rows)
    singles, _ = without_roll_ups(loaded.series)
    largest = sorted(singles, key=lambda one: -float(np.nansum(one.volume)))[:most_series]
    said = [*loaded.said, *_said_of(largest)]
    methods = tuple(method.name for method in FAMILIES[family].candidates)
    forecaster = SeasonalForecaster(ForecasterSettings(family=FAMILIES[family]))
    scores: list[ForecastScore] = []
    for one in largest:
        on_series(one.series_id)
        demand = demand_of(one)
        end = demand.span.end
        if demand.span.length <= timedelta(days=days + 1):
            raise InvalidTrace(
                str(trace),
                f"{one.series_id} spans {demand.span.length}, too short to replay {days} days",
                kept=loaded.kept,
                remedy="replay fewer --days, with at least a day of history before them",
            )
        plan = BacktestPlan(
            window=Span(end - timedelta(days=days), end),
            methods=methods,
            every=every,
            horizon=horizon,
        )
        scores += backtest(forecaster, [demand], plan)
    return scores, said


def demand_of(series: LoadSeries) -> DemandSeries:
    """The series in 15-minute buckets from the first whole quarter; a bucket with a hole is missing."""
    start = series.start or from_epoch(FIRST_MONDAY * 60)
    first = ceil_to(start, BUCKET)
    column = series.input_tokens if observed(series.input_tokens) else series.requests
    minutes = as_minutes(column, series.step)[(first - start) // timedelta(minutes=1) :]
    whole = len(minutes) // MINUTES * MINUTES
    buckets = minutes[:whole].reshape(-1, MINUTES) / 60
    return DemandSeries(
        key=key_of(series.series_id),
        start=first,
        step=BUCKET,
        tokens_per_second=_values(buckets.mean(axis=1)),
        peak_tokens_per_second=_values(buckets.max(axis=1)),
    )


def key_of(series_id: str) -> SeriesKey:
    """The key behind `region/model/tier` as we write it; any other name is the model of one region."""
    origin, _, rest = series_id.partition("/")
    model, _, tier = rest.rpartition("/")
    try:
        demand = DemandKey(origin=RegionName(origin), model=ModelName(model), tier=Tier.parse(tier))
    except HeliostatError:
        demand = DemandKey(
            origin=RegionName("trace"), model=ModelName(series_id), tier=Tier.INTERACTIVE_NORMAL
        )
    return SeriesKey(demand=demand, kind=TokenKind.INPUT)


def _said_of(series: list[LoadSeries]) -> list[str]:
    said: list[str] = []
    if any(not observed(one.input_tokens) for one in series):
        said.append("Input tokens are not in the file; requests per second are forecast instead.")
    if any(one.step > timedelta(minutes=1) for one in series):
        said.append(
            "Bins are longer than a minute: peaks inside buckets come from linear interpolation."
        )
    return said


def _values(column: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float | None, ...]:
    return tuple(None if value != value else float(value) for value in column)
