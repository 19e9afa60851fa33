"""Scores issued forecasts against what came, with the naive rivals beside them on the same buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from forecasting.methods.naive import SAME_TIME_LAST_WEEK, SAME_TIME_YESTERDAY, LastValue
from forecasting.oracle import bucket_of
from forecasting.selection import pinball
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Forecast, ForecastScore
from heliostat.model.names import SeriesKey

HORIZONS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
"""Scored beside the first step: the bucket that *ends* that long after the forecast's start."""

_Group = tuple[SeriesKey, str, timedelta]


@dataclass(slots=True)
class _Pairs:
    """Truths and the quantiles that were issued for them."""

    levels: tuple[float, ...]
    truths: list[float] = field(default_factory=list)
    quantiles: list[tuple[float, ...]] = field(default_factory=list)


class AccuracyScorer:
    """Keeps `heliostat.ports.forecasts.ForecastScorer`; pure.

    Means are scored, not peaks. A naive rival issues no intervals: its one value stands at every
    level, so judge it by WAPE and bias, or take a rival's loss from a `backtest`, where it has some.
    """

    def score(
        self, issued: Sequence[Forecast], truth: Sequence[DemandSeries]
    ) -> tuple[ForecastScore, ...]:
        """See the port; sorted by series, method and horizon."""
        known = {one.key: one for one in truth}
        issued_pairs: dict[_Group, _Pairs] = {}
        rival_pairs: dict[_Group, _Pairs] = {}
        for forecast in issued:
            series = known.get(forecast.key)
            first = None if series is None else bucket_of(series, forecast.start, forecast.step)
            if series is not None and first is not None:
                for horizon in _horizons(forecast):
                    _pair(forecast, series, first, horizon, issued_pairs, rival_pairs)
        # A rival that really served was scored with its own intervals.
        merged = {**rival_pairs, **issued_pairs}
        return tuple(
            _score(group, merged[group]) for group in sorted(merged) if merged[group].truths
        )


def _horizons(forecast: Forecast) -> list[timedelta]:
    reach = forecast.step * forecast.steps
    return sorted({forecast.step, *(horizon for horizon in HORIZONS if horizon <= reach)})


def _pair(
    forecast: Forecast,
    series: DemandSeries,
    first: int,
    horizon: timedelta,
    issued_pairs: dict[_Group, _Pairs],
    rival_pairs: dict[_Group, _Pairs],
) -> None:
    """Put the forecast's and its rivals' values for the bucket at that horizon beside the truth."""
    ahead = horizon // forecast.step - 1
    came = _at(series, first + ahead)
    if came is None:
        return

    def keep(pairs: dict[_Group, _Pairs], method: str, quantiles: tuple[float, ...]) -> None:
        group = (forecast.key, method, horizon)
        one = pairs.setdefault(group, _Pairs(forecast.levels))
        if one.levels == forecast.levels:
            one.truths.append(came)
            one.quantiles.append(quantiles)

    keep(issued_pairs, forecast.method, tuple(row[ahead] for row in forecast.mean))
    trained = bucket_of(series, forecast.trained_until, forecast.step)
    for name, value in _rivals(series, first, ahead, first if trained is None else trained):
        if value is not None:
            keep(rival_pairs, name, (value,) * len(forecast.levels))


def _rivals(
    series: DemandSeries, first: int, ahead: int, trained: int
) -> list[tuple[str, float | None]]:
    """What each naive rival would have said at the forecast's start."""
    day = timedelta(days=1) // series.step
    yesterday = first + ahead - day * (ahead // day + 1)
    last_week = first + ahead - 7 * day * (ahead // (7 * day) + 1)
    return [
        (LastValue().name, _at(series, min(trained, first) - 1)),
        (SAME_TIME_YESTERDAY.name, _at(series, yesterday)),
        (SAME_TIME_LAST_WEEK.name, _at(series, last_week)),
    ]


def _at(series: DemandSeries, bucket: int) -> float | None:
    rates = series.tokens_per_second
    return rates[bucket] if 0 <= bucket < len(rates) else None


def _score(group: _Group, pairs: _Pairs) -> ForecastScore:
    key, method, horizon = group
    truths, quantiles = np.array(pairs.truths), np.array(pairs.quantiles)
    levels = np.array(pairs.levels)
    middle = quantiles[:, int(np.abs(levels - 0.5).argmin())]
    total = float(truths.sum())
    errors = middle - truths
    coverage = (truths[:, None] <= quantiles).mean(axis=0)
    return ForecastScore(
        key=key,
        method=method,
        horizon=horizon,
        scored=len(truths),
        wape=float(np.abs(errors).sum()) / total if total > 0 else None,
        bias=float(errors.sum()) / total if total > 0 else None,
        pinball=float(pinball(truths[:, None], quantiles, levels).mean()),
        coverage=tuple(zip(pairs.levels, coverage.tolist(), strict=True)),
    )
