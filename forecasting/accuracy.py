"""Scores issued forecasts against what came, with the naive rivals beside them on the same buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter

import numpy as np

from forecasting.methods.naive import SAME_TIME_LAST_WEEK, SAME_TIME_YESTERDAY, LastValue
from forecasting.selection import pinball
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import SCORED_HORIZONS, ForecastExcerpt, ForecastScore
from heliostat.model.names import SeriesKey

_LAST_VALUE = LastValue().name
_WEEK = timedelta(days=7)

_Group = tuple[str, int]
"""A method, and how many buckets after the first the scored one lies."""


@dataclass(slots=True)
class _Pairs:
    """Truths and the quantiles that were issued for them."""

    levels: tuple[float, ...]
    truths: list[float] = field(default_factory=list)
    quantiles: list[tuple[float, ...]] = field(default_factory=list)


_Tally = dict[_Group, _Pairs]


class AccuracyScorer:
    """Keeps `heliostat.ports.forecasts.ForecastScorer`; pure.

    Means are scored, not peaks. A naive rival issues no intervals: its one value stands at every
    level, so judge it by WAPE and bias, or take a rival's loss from a `backtest`, where it has some.
    """

    @property
    def reach(self) -> timedelta:
        """Whole weeks: what last week's same time needs. An older last value is no rival either."""
        return _WEEK * -(-max(SCORED_HORIZONS) // _WEEK)

    def score(
        self, issued: Sequence[ForecastExcerpt], truth: Sequence[DemandSeries]
    ) -> tuple[ForecastScore, ...]:
        """See the port; sorted by series, method and horizon."""
        known = {one.key: one for one in truth}
        by_key: dict[SeriesKey, list[ForecastExcerpt]] = defaultdict(list)
        for forecast in issued:
            by_key[forecast.key].append(forecast)
        return tuple(
            score
            for key in sorted(by_key)
            if key in known
            for score in _score_series(known[key], by_key[key])
        )


def _score_series(
    series: DemandSeries, forecasts: Sequence[ForecastExcerpt]
) -> Iterator[ForecastScore]:
    """One score per method and horizon that meets any truth."""
    issued: _Tally = {}
    rivals: _Tally = {}
    for forecast in forecasts:
        first = series.bucket_of(forecast.start, forecast.step)
        if first is not None:
            _pair(forecast, series, first, issued, rivals)
    # A rival that really served was scored with its own intervals.
    for (method, ahead), pairs in sorted({**rivals, **issued}.items(), key=itemgetter(0)):
        yield _score(series.key, method, series.step * (ahead + 1), pairs)


def _pair(
    forecast: ForecastExcerpt, series: DemandSeries, first: int, issued: _Tally, rivals: _Tally
) -> None:
    """Put the forecast's and its rivals' values beside the truth, where it is known."""
    trained = series.bucket_of(forecast.trained_until, forecast.step)
    newest = first - 1 if trained is None else min(trained, first) - 1
    day = timedelta(days=1) // series.step
    last = _at(series, newest) if newest >= first - 7 * day else None
    for place, ahead in enumerate(forecast.leads):
        bucket = first + ahead
        came = _at(series, bucket)
        if came is None:
            continue
        quantiles = tuple(row[place] for row in forecast.mean)
        _keep(issued, (forecast.method, ahead), forecast.levels, came, quantiles)
        for name, said in (
            (_LAST_VALUE, last),
            (SAME_TIME_YESTERDAY.name, _at(series, bucket - day * (ahead // day + 1))),
            (
                SAME_TIME_LAST_WEEK.name,
                _at(series, bucket - 7 * day * (ahead // (7 * day) + 1)),
            ),
        ):
            if said is not None:
                all_levels = (said,) * len(forecast.levels)
                _keep(rivals, (name, ahead), forecast.levels, came, all_levels)


def _keep(
    tally: _Tally,
    group: _Group,
    levels: tuple[float, ...],
    came: float,
    quantiles: tuple[float, ...],
) -> None:
    """Note one pair; forecasts at other levels than the group's first cannot be averaged with it."""
    pairs = tally.get(group)
    if pairs is None:
        pairs = tally[group] = _Pairs(levels)
    if pairs.levels == levels:
        pairs.truths.append(came)
        pairs.quantiles.append(quantiles)


def _at(series: DemandSeries, bucket: int) -> float | None:
    rates = series.tokens_per_second
    return rates[bucket] if 0 <= bucket < len(rates) else None


def _score(key: SeriesKey, method: str, horizon: timedelta, pairs: _Pairs) -> ForecastScore:
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
