"""Scores issued forecasts and the naive baselines against actual demand, on the same buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from forecasting.methods.naive import SAME_TIME_LAST_WEEK, SAME_TIME_YESTERDAY, LastValue
from forecasting.panel import column_of
from forecasting.selection import pinball
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import SCORED_HORIZONS, ForecastExcerpt, ForecastScore
from heliostat.model.names import SeriesKey

_LAST_VALUE = LastValue().name
_WEEK = timedelta(days=7)
_AT_ONCE = 16
"""Series that are scored together: the arrays of two days still fit into a core's cache."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class _Pairs:
    """Truths (n, leads, series) and the quantiles (n, levels, leads, series) that were said of them, in
    parts; NaN = none."""

    levels: tuple[float, ...]
    truths: list[Floats] = field(default_factory=list)
    quantiles: list[Floats] = field(default_factory=list)


_Tally = dict[str, _Pairs]
"""By method; forecasts at other levels than a method's first cannot be averaged with it."""
_Issued = tuple[DemandSeries, list[ForecastExcerpt]]
"""A series and what was forecast of it."""


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
        by_key: dict[SeriesKey, list[ForecastExcerpt]] = defaultdict(list)
        for forecast in issued:
            by_key[forecast.key].append(forecast)
        alike: dict[Hashable, list[_Issued]] = defaultdict(list)
        for series in truth:
            if found := by_key.get(series.key):
                alike[_layout(series, found)].append((series, found))
        scores = {
            series.key: own
            for group in alike.values()
            for first in range(0, len(group), _AT_ONCE)
            for (series, _), own in _score_alike(group[first : first + _AT_ONCE])
        }
        return tuple(score for key in sorted(scores) for score in scores[key])


def _layout(series: DemandSeries, forecasts: Sequence[ForecastExcerpt]) -> Hashable:
    """Everything but the rates: series of one layout are scored at once."""
    return (
        (series.start, series.step, len(series.tokens_per_second)),
        tuple(
            (one.method, one.levels, one.leads, one.start, one.step, one.trained_until)
            for one in forecasts
        ),
    )


def _score_alike(group: Sequence[_Issued]) -> Iterator[tuple[_Issued, list[ForecastScore]]]:
    """With each series one score per method and horizon that meets any truth."""
    alike: dict[tuple[str, tuple[float, ...], tuple[int, ...]], list[int]] = defaultdict(list)
    series, forecasts = group[0]
    for place, forecast in enumerate(forecasts):
        if series.bucket_of(forecast.start, forecast.step) is not None:
            alike[forecast.method, forecast.levels, forecast.leads].append(place)
    leads = np.array(sorted({lead for _, _, own in alike for lead in own}), np.int64)
    rates = np.stack([column_of(one.tokens_per_second) for one, _ in group], axis=1)
    issued: _Tally = {}
    rivals: _Tally = {}
    for places in alike.values():
        some = [[own[place] for place in places] for _, own in group]
        _pair(some, series, rates, leads, issued, rivals)
    keys = [one.key for one, _ in group]
    # A rival that really served was scored with its own intervals.
    found: list[dict[tuple[str, timedelta], ForecastScore]] = [{} for _ in group]
    for tally in (rivals, issued):
        for method, pairs in tally.items():
            for row, score in _scores(keys, method, leads, series.step, pairs):
                found[row][method, score.horizon] = score
    for one, own in zip(group, found, strict=True):
        yield one, [score for _, score in sorted(own.items(), key=itemgetter(0))]


def _pair(
    forecasts: Sequence[Sequence[ForecastExcerpt]],
    series: DemandSeries,
    rates: Floats,
    leads: Ints,
    issued: _Tally,
    rivals: _Tally,
) -> None:
    """Put what forecasts of one method, levels and leads said, and their rivals, beside what came: of
    series alike, of which `series` is one."""
    first = forecasts[0][0]
    levels, own = first.levels, np.isin(leads, first.leads)
    day = timedelta(days=1) // series.step
    firsts, newest = _places(forecasts[0], series)
    buckets = firsts[:, None] + leads
    came = np.where(own[:, None], _at(rates, buckets), np.nan)
    recent = newest >= firsts - 7 * day
    last = np.where(recent[:, None], _at(rates, newest), np.nan)
    said = {
        _LAST_VALUE: np.broadcast_to(last[:, None], came.shape),
        SAME_TIME_YESTERDAY.name: _at(rates, buckets - day * (leads // day + 1)),
        SAME_TIME_LAST_WEEK.name: _at(rates, buckets - 7 * day * (leads // (7 * day) + 1)),
    }
    means = np.array([[one.mean for one in some] for some in forecasts])
    quantiles = np.full((len(firsts), len(levels), len(leads), len(forecasts)), np.nan)
    quantiles[:, :, own] = np.moveaxis(means, 0, -1)
    _keep(issued, first.method, levels, came, quantiles)
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
    """The rates of these buckets (…, series); NaN outside of the series."""
    inside = (buckets >= 0) & (buckets < len(rates))
    found = np.full((*buckets.shape, rates.shape[1]), np.nan)
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
    keys: Sequence[SeriesKey], method: str, leads: Ints, step: timedelta, pairs: _Pairs
) -> Iterator[tuple[int, ForecastScore]]:
    """One per series, told by its place, and lead of which any pair is known."""
    truths, quantiles = np.concatenate(pairs.truths), np.concatenate(pairs.quantiles)
    known = ~(np.isnan(truths) | np.isnan(quantiles).any(axis=1))
    counts = known.sum(axis=0)
    truths = np.where(known, truths, 0.0)
    quantiles = np.where(known[:, None], quantiles, 0.0)
    levels = np.array(pairs.levels)
    errors = quantiles[:, int(np.abs(levels - 0.5).argmin())] - truths
    totals, biases = truths.sum(axis=0), errors.sum(axis=0)
    missed = np.abs(errors).sum(axis=0)
    losses = pinball(truths[:, None], quantiles, levels[:, None, None]).mean(axis=1).sum(axis=0)
    covered = ((truths[:, None] <= quantiles) & known[:, None]).sum(axis=0)
    for place, row in np.argwhere(counts).tolist():
        count, total = int(counts[place, row]), float(totals[place, row])
        shares = (covered[:, place, row] / count).tolist()
        yield (
            row,
            ForecastScore(
                key=keys[row],
                method=method,
                horizon=step * (int(leads[place]) + 1),
                scored=count,
                wape=float(missed[place, row]) / total if total > 0 else None,
                bias=float(biases[place, row]) / total if total > 0 else None,
                pinball=float(losses[place, row]) / count,
                coverage=tuple(zip(pairs.levels, shares, strict=True)),
            ),
        )
