"""Turns folded buckets into demand series: token rates, their 1-minute peaks, and what is missing.

A bucket's rate is its demand (see `storage.fold`) over the minutes that were reported. It is missing
when fewer than half of its minutes were reported, or measured.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat.model.demand import DemandSeries, Rates
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import EVERYWHERE, DemandKey, RegionName, SeriesKey, TokenKind
from storage.coverage import Coverage
from storage.fold import MINUTE_SECONDS, Floats, Ints, Table, measured_columns


def demand_series(
    folded: Table,
    keys: Mapping[int, DemandKey],
    coverage: Coverage,
    span: Span,
    step: timedelta,
) -> tuple[DemandSeries, ...]:
    """Both token kinds of every key, aggregates included, ordered by key.

    `folded` holds buckets of `step` that start inside `span`, on its grid.
    """
    numbers = sorted(keys)
    grids = _Grids(folded, numbers, span, step, coverage.steps)
    origins = {key.origin for key in keys.values()}
    counts = {origin: coverage.counts(origin) for origin in origins.union(coverage.origins)}
    reported = np.array([counts[keys[number].origin] for number in numbers], np.int64)
    reported = reported.reshape(len(numbers), coverage.steps)
    enough, seconds = coverage.enough(reported), np.maximum(reported, 1) * MINUTE_SECONDS
    rates_of: dict[TokenKind, tuple[Floats, Floats]] = {}
    for kind in TokenKind:
        tokens, peak, unmeasured = grids.tokens(kind)
        there = enough & coverage.enough(reported - unmeasured)
        rates_of[kind] = np.where(there, tokens / seconds, np.nan), peak / MINUTE_SECONDS
    means: dict[SeriesKey, Floats] = {}
    peaks: dict[SeriesKey, Floats] = {}
    for key, row in sorted((keys[number], row) for row, number in enumerate(numbers)):
        for kind in sorted(TokenKind):
            series = SeriesKey(demand=key, kind=kind)
            mean, peak = rates_of[kind]
            peaks[series] = peak[row]
            if key.origin != EVERYWHERE:
                means[series] = mean[row]
    means |= _aggregates(means, peaks, coverage, counts)
    return tuple(
        DemandSeries(
            key=series,
            start=span.start,
            step=step,
            tokens_per_second=_values(means[series]),
            peak_tokens_per_second=_values(_not_below(means[series], peak)),
        )
        for series, peak in peaks.items()
        if series in means
    )


class _Grids:
    """Folded buckets as dense columns over the span, a row per key."""

    def __init__(
        self, folded: Table, numbers: Sequence[int], span: Span, step: timedelta, steps: int
    ) -> None:
        row = np.searchsorted(np.array(numbers, np.int64), folded["key"])
        offset = folded["start"] - to_epoch(span.start)
        self._table = folded
        self._columns: dict[str, NDArray[Any]] = {}
        self._cells = row * steps + offset // int(step.total_seconds())
        self._shape = (len(numbers), steps)

    def tokens(self, kind: TokenKind) -> tuple[Floats, Floats, Ints]:
        """Tokens and peak-minute tokens per step (NaN = no mean to estimate by), and unmeasured
        minutes; (keys, steps) each."""
        name = "input" if kind is TokenKind.INPUT else "output"
        tokens, requests = (self._dense(column) for column in measured_columns(kind))
        over_span = np.array([[mean] for mean in map(_mean, tokens, requests)]).reshape(-1, 1)
        mean = np.where(requests > 0, tokens / np.maximum(requests, 1), over_span)
        peak = self._dense(f"peak_{name}")
        if (unknown := np.isnan(peak)).any():
            peak = np.where(unknown, self._dense("peak_net") * over_span, peak)
        return self._wanted(kind, mean), peak, self._dense(f"{name}_unmeasured")

    def _wanted(self, kind: TokenKind, mean: Floats) -> Floats:
        net = self._dense("net")
        if kind is TokenKind.INPUT:
            return np.where(net > 0, mean * net, 0.0)
        missing = np.maximum(net - self._dense("output_completed"), 0)
        wanted: Floats = self._dense("output_tokens") + np.where(missing > 0, mean * missing, 0.0)
        return wanted

    def _dense(self, name: str) -> NDArray[Any]:
        """A column of the table; 0 where there is no bucket."""
        if name not in self._columns:
            values = self._table[name]
            dense = self._columns[name] = np.zeros(self._shape, values.dtype)
            dense.reshape(-1)[self._cells] = values
        return self._columns[name]


def _mean(tokens: Ints, requests: Ints) -> float:
    """Tokens per request over the whole span; NaN where none was measured."""
    total = int(requests.sum())
    return int(tokens.sum()) / total if total else float("nan")


def whole_steps(span: Span, step: timedelta) -> Span:
    """The span cut to whole steps from its start."""
    return Span(span.start, span.start + span.length // step * step)


def _aggregates(
    means: Mapping[SeriesKey, Floats],
    peaks: Mapping[SeriesKey, Floats],
    coverage: Coverage,
    counts: Mapping[RegionName, Ints],
) -> dict[SeriesKey, Floats]:
    """Each aggregate is the sum of its origins' rates, missing where any origin in use is missing."""
    missing = np.zeros(coverage.steps, np.bool_)
    for origin in coverage.origins:
        missing |= coverage.in_use(origin) & ~coverage.enough(counts[origin])
    in_use = {origin: coverage.in_use(origin) for origin in {s.demand.origin for s in means}}
    parts: dict[SeriesKey, list[Floats]] = {}
    for series, mean in means.items():
        above = SeriesKey(demand=series.demand.everywhere, kind=series.kind)
        used = in_use[series.demand.origin]
        parts.setdefault(above, []).append(np.where(used, mean, 0.0))
    return {
        series: np.where(missing, np.nan, np.sum(origins, axis=0))
        for series, origins in parts.items()
        if series in peaks
    }


def _not_below(mean: Floats, peak: Floats) -> Floats:
    """The peak, or the mean where that is larger or no peak is known; missing where the mean is."""
    return np.where(np.isnan(mean), np.nan, np.fmax(peak, mean))


def _values(column: Floats) -> Rates:
    return Rates(array("d", column.tobytes()))
