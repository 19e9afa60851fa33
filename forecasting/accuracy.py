"""Scores issued forecasts and the naive baselines against actual demand, on the same buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from forecasting.methods.naive import SAME_TIME_LAST_WEEK, SAME_TIME_YESTERDAY, LastValue
from forecasting.selection import pinball
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import SCORED_HORIZONS, ForecastExcerpt, ForecastScore
from heliostat.model.names import SeriesKey

_LAST_VALUE = LastValue().name
_WEEK = timedelta(days=7)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class _Pairs:
    """Truths (n, leads) and the quantiles (n, levels, leads) that were said of them, in parts; NaN = none."""

    levels: tuple[float, ...]
    truths: list[Floats] = field(default_factory=list)
    quantiles: list[Floats] = field(default_factory=list)


_Tally = dict[str, _Pairs]
"""By method; forecasts at other levels than a method's first cannot be averaged with it."""


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
    alike: dict[tuple[str, tuple[float, ...], tuple[int, ...]], list[ForecastExcerpt]]
    alike = defaultdict(list)
    for forecast in forecasts:
        if series.bucket_of(forecast.start, forecast.step) is not None:
            alike[forecast.method, forecast.levels, forecast.leads].append(forecast)
    leads = np.array(sorted({lead for _, _, own in alike for lead in own}), np.int64)
    rates = np.array(series.tokens_per_second, np.float64)
    issued: _Tally = {}
    rivals: _Tally = {}
    for group in alike.values():
        _pair(group, series, rates, leads, issued, rivals)
    # A rival that really served was scored with its own intervals.
    scores = {
        (method, score.horizon): score
        for tally in (rivals, issued)
        for method, pairs in tally.items()
        for score in _scores(series, method, leads, pairs)
    }
    yield from (score for _, score in sorted(scores.items(), key=itemgetter(0)))


def _pair(
    forecasts: Sequence[ForecastExcerpt],
    series: DemandSeries,
    rates: Floats,
    leads: Ints,
    issued: _Tally,
    rivals: _Tally,
) -> None:
    """Put what forecasts of one method, levels and leads said, and their rivals, beside what came."""
    levels, own = forecasts[0].levels, np.isin(leads, forecasts[0].leads)
    day = timedelta(days=1) // series.step
    firsts, newest = _places(forecasts, series)
    buckets = firsts[:, None] + leads
    came = np.where(own, _at(rates, buckets), np.nan)
    last = np.where(newest >= firsts - 7 * day, _at(rates, newest), np.nan)
    said = {
        _LAST_VALUE: np.broadcast_to(last[:, None], came.shape),
        SAME_TIME_YESTERDAY.name: _at(rates, buckets - day * (leads // day + 1)),
        SAME_TIME_LAST_WEEK.name: _at(rates, buckets - 7 * day * (leads // (7 * day) + 1)),
    }
    quantiles = np.full((len(forecasts), len(levels), len(leads)), np.nan)
    quantiles[:, :, own] = [forecast.mean for forecast in forecasts]
    _keep(issued, forecasts[0].method, levels, came, quantiles)
    for name, values in said.items():
        _keep(rivals, name, levels, came, np.repeat(values[:, None], len(levels), axis=1))


def _places(forecasts: Sequence[ForecastExcerpt], series: DemandSeries) -> tuple[Ints, Ints]:
    """Per forecast its first bucket, and the newest one that it was trained on."""
    firsts, newest = [], []
    for forecast in forecasts:
        first = series.bucket_of(forecast.start, forecast.step)
        assert first is not None, "forecasts off the grid are left out before"
        trained = series.bucket_of(forecast.trained_until, forecast.step)
        firsts.append(first)
        newest.append(first - 1 if trained is None else min(trained, first) - 1)
    return np.array(firsts, np.int64), np.array(newest, np.int64)


def _at(rates: Floats, buckets: Ints) -> Floats:
    """The rates of these buckets; NaN outside of the series."""
    inside = (buckets >= 0) & (buckets < len(rates))
    found = np.full(buckets.shape, np.nan)
    found[inside] = rates[buckets[inside]]
    return found


def _keep(
    tally: _Tally, method: str, levels: tuple[float, ...], came: Floats, quantiles: Floats
) -> None:
    pairs = tally.setdefault(method, _Pairs(levels))
    if pairs.levels == levels:
        pairs.truths.append(came)
        pairs.quantiles.append(quantiles)


def _scores(
    series: DemandSeries, method: str, leads: Ints, pairs: _Pairs
) -> Iterator[ForecastScore]:
    """One per lead of which any pair is known."""
    truths, quantiles = np.concatenate(pairs.truths), np.concatenate(pairs.quantiles)
    known = ~(np.isnan(truths) | np.isnan(quantiles).any(axis=1))
    counts = known.sum(axis=0)
    truths = np.where(known, truths, 0.0)
    quantiles = np.where(known[:, None], quantiles, 0.0)
    levels = np.array(pairs.levels)
    errors = quantiles[:, int(np.abs(levels - 0.5).argmin())] - truths
    totals, biases = truths.sum(axis=0), errors.sum(axis=0)
    missed = np.abs(errors).sum(axis=0)
    losses = pinball(truths[:, None], quantiles, levels[:, None]).mean(axis=1).sum(axis=0)
    covered = ((truths[:, None] <= quantiles) & known[:, None]).sum(axis=0)
    for place in np.flatnonzero(counts):
        count, total = int(counts[place]), float(totals[place])
        yield ForecastScore(
            key=series.key,
            method=method,
            horizon=series.step * (int(leads[place]) + 1),
            scored=count,
            wape=float(missed[place]) / total if total > 0 else None,
            bias=float(biases[place]) / total if total > 0 else None,
            pinball=float(losses[place]) / count,
            coverage=tuple(zip(pairs.levels, (covered[:, place] / count).tolist(), strict=True)),
        )
