"""Turns folded buckets into demand series: token rates, their 1-minute peaks, and what is missing.

A bucket's rate is its demand (see `storage.fold`) over the minutes that were reported. It is missing
when fewer than half of its minutes were reported, or measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from heliostat.model.demand import DemandSeries
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import EVERYWHERE, DemandKey, SeriesKey, TokenKind
from storage.coverage import Coverage
from storage.fold import MINUTE_SECONDS, Floats, Ints, Table, mean_of, measured_columns

_Number = TypeVar("_Number", np.float64, np.int64)


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
    grids = _Grids(folded, span, step, coverage.steps)
    rates: dict[SeriesKey, Floats] = {}
    peaks: dict[SeriesKey, Floats] = {}
    for number, key in keys.items():
        reported = None if key.origin == EVERYWHERE else coverage.counts(key.origin)
        for kind in TokenKind:
            tokens, peak, unmeasured = grids.tokens(number, kind)
            series = SeriesKey(demand=key, kind=kind)
            peaks[series] = peak / MINUTE_SECONDS
            if reported is not None:
                there = coverage.enough(reported) & coverage.enough(reported - unmeasured)
                seconds = np.maximum(reported, 1) * MINUTE_SECONDS
                rates[series] = np.where(there, tokens / seconds, np.nan)
    _add_aggregates(rates, peaks, coverage)
    return tuple(
        DemandSeries(
            key=series,
            start=span.start,
            step=step,
            tokens_per_second=_values(rates[series]),
            peak_tokens_per_second=_values(np.fmax(peaks[series], rates[series]), rates[series]),
        )
        for series in sorted(rates)
    )


class _Grids:
    """Folded buckets of one key as dense columns over the span."""

    def __init__(self, folded: Table, span: Span, step: timedelta, steps: int) -> None:
        order = np.argsort(folded["key"], kind="stable")
        self._table = folded[order]
        self._steps = steps
        offset = self._table["start"] - to_epoch(span.start)
        self._place = offset // int(step.total_seconds())

    def tokens(self, number: int, kind: TokenKind) -> tuple[Floats, Floats, Ints]:
        """Tokens and peak-minute tokens per step (NaN = no mean to estimate by), and unmeasured
        minutes."""
        low, high = np.searchsorted(self._table["key"], [number, number + 1])
        rows, place = self._table[low:high], self._place[low:high]
        name = "input" if kind is TokenKind.INPUT else "output"
        return (
            _spread(_tokens(rows, kind), place, self._steps),
            _spread(_peaks(rows, kind), place, self._steps),
            _spread(rows[f"{name}_unmeasured"], place, self._steps),
        )


def whole_steps(span: Span, step: timedelta) -> Span:
    """The span cut to whole steps from its start."""
    return Span(span.start, span.start + span.length // step * step)


def _tokens(rows: Table, kind: TokenKind) -> Floats:
    net = rows["net"]
    mean = np.where(np.isnan(mean_of(rows, kind)), _span_mean(rows, kind), mean_of(rows, kind))
    if kind is TokenKind.INPUT:
        return np.where(net > 0, mean * net, 0.0)
    missing = np.maximum(net - rows["output_completed"], 0)
    return rows["output_tokens"] + np.where(missing > 0, mean * missing, 0.0)


def _peaks(rows: Table, kind: TokenKind) -> Floats:
    name = "peak_input" if kind is TokenKind.INPUT else "peak_output"
    return np.where(
        np.isnan(rows[name]), rows["peak_net"] * _span_mean(rows, kind), rows[name]
    ).astype(np.float64)


def _span_mean(rows: Table, kind: TokenKind) -> float:
    tokens, requests = measured_columns(kind)
    total = int(rows[requests].sum())
    return int(rows[tokens].sum()) / total if total else float("nan")


def _add_aggregates(
    rates: dict[SeriesKey, Floats], peaks: Mapping[SeriesKey, Floats], coverage: Coverage
) -> None:
    """Each aggregate is the sum of its origins' rates, missing where any origin is missing."""
    missing = np.zeros(coverage.steps, np.bool_)
    for origin in coverage.origins:
        missing |= ~coverage.enough(coverage.counts(origin))
    parts: dict[SeriesKey, list[Floats]] = {}
    for series in sorted(rates):
        above = SeriesKey(demand=series.demand.everywhere, kind=series.kind)
        parts.setdefault(above, []).append(rates[series])
    for series, origins in parts.items():
        if series in peaks:
            rates[series] = np.where(missing, np.nan, np.sum(origins, axis=0))


def _spread(values: NDArray[_Number], place: Ints, steps: int) -> NDArray[_Number]:
    dense = np.zeros(steps, values.dtype)
    dense[place] = values
    return dense


def _values(column: Floats, present: Floats | None = None) -> tuple[float | None, ...]:
    missing = np.isnan(column if present is None else present)
    if not missing.any():
        return tuple(column.tolist())
    return tuple(
        None if gone else value
        for value, gone in zip(column.tolist(), missing.tolist(), strict=True)
    )
