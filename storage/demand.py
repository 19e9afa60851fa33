"""Turns summed minutes into demand: token rates per bucket, their 1-minute peaks, and what is missing.

Works on whole columns. Everything that is summed is an integer, so any store that holds the same
windows gives the same floats.

Per minute and demand key, *net* = offered − retried. Input demand is the measured prompt tokens per
offered request × net. Output demand is the generated tokens plus (net − completed) × the mean
output of completed requests: what was shed, failed or is still running is wanted all the same. The
mean is the bucket's own, else that of the whole span. A minute with net > 0 in which no window
measured tokens is *unmeasured*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from heliostat.model.demand import BUCKET as BUCKET_LENGTH
from heliostat.model.demand import DemandSeries
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import EVERYWHERE, DemandKey, RegionName, SeriesKey, TokenKind

MINUTE_SECONDS = 60
BUCKET_SECONDS = int(BUCKET_LENGTH.total_seconds())
BUCKET_MINUTES = BUCKET_SECONDS // MINUTE_SECONDS

Table = NDArray[np.void]
"""A one-dimensional structured array."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Number = TypeVar("_Number", np.float64, np.int64)

_SUMS = ("net", "input_tokens", "input_offered", "output_tokens", "output_completed")
MINUTE = np.dtype(
    [
        ("key", "<i8"),
        ("start", "<i8"),
        *((name, "<i8") for name in _SUMS),
        ("input_measured", "<i8"),
        ("output_measured", "<i8"),
    ]
)
"""One minute of one demand key over all serving regions and sources. `input_offered` is the offered
requests of windows that measured input, `output_completed` the completed ones of windows that
measured output, `*_measured` how many windows did."""

FOLDED = np.dtype(
    [
        ("key", "<i8"),
        ("start", "<i8"),
        *((name, "<i8") for name in _SUMS),
        ("input_unmeasured", "<i8"),
        ("output_unmeasured", "<i8"),
        ("peak_net", "<i8"),
        ("peak_input", "<f8"),
        ("peak_output", "<f8"),
    ]
)
"""One bucket of one demand key: sums, unmeasured minutes, the largest minute (tokens; NaN = not
known from this bucket alone)."""


def no_buckets() -> Table:
    """A folded table without rows."""
    return np.empty(0, FOLDED)


def fold(minutes: Table, aggregate_of: Mapping[int, int], step: int, anchor: int = 0) -> Table:
    """Buckets of `step` seconds counted from `anchor`, aggregates over origins among them.

    `aggregate_of` maps each key in `minutes` to the key of its aggregate.
    """
    if not len(minutes):
        return no_buckets()
    above = minutes.copy()
    above["key"] = [aggregate_of[key] for key in minutes["key"].tolist()]
    return _fold_keys(_sum_minutes(np.concatenate([minutes, above])), step, anchor)


def combine(folded: Table, step: int, anchor: int = 0) -> Table:
    """The same in longer buckets: sums add up, peaks are the largest."""
    if not len(folded):
        return folded
    table, firsts = _grouped(folded, step, anchor)
    out = np.empty(len(firsts), FOLDED)
    _place(out, table, firsts, step, anchor)
    for name in (*_SUMS, "input_unmeasured", "output_unmeasured"):
        out[name] = np.add.reduceat(table[name], firsts)
    for name in ("peak_net", "peak_input", "peak_output"):
        out[name] = np.maximum.reduceat(table[name], firsts)
    return out


class Coverage:
    """Which minutes each origin reported inside a span, counted on a grid of `step` from its start."""

    def __init__(self, span: Span, step: timedelta) -> None:
        self._start = to_epoch(span.start)
        self._step_minutes = int(step.total_seconds()) // MINUTE_SECONDS
        self.steps = span.length // step
        self._minutes: dict[RegionName, NDArray[np.bool_]] = {}

    def reported(self, origin: RegionName) -> None:
        """Say that an origin reported at some time, perhaps outside the span."""
        size = self.steps * self._step_minutes
        self._minutes.setdefault(origin, np.zeros(size, np.bool_))

    def add(self, origin: RegionName, bucket_start: int, mask: int) -> None:
        """Add 15 minutes from `bucket_start` (epoch seconds): bit i of `mask` is minute i."""
        self.reported(origin)
        minutes = self._minutes[origin]
        first = (bucket_start - self._start) // MINUTE_SECONDS
        for minute in range(BUCKET_MINUTES):
            if mask >> minute & 1 and 0 <= first + minute < len(minutes):
                minutes[first + minute] = True

    @property
    def origins(self) -> tuple[RegionName, ...]:
        """Every origin that ever reported, by name."""
        return tuple(sorted(self._minutes))

    def counts(self, origin: RegionName) -> Ints:
        """Reported minutes per step."""
        minutes = self._minutes.get(origin)
        if minutes is None:
            return np.zeros(self.steps, np.int64)
        counts: Ints = np.count_nonzero(minutes.reshape(self.steps, self._step_minutes), axis=1)
        return counts

    def enough(self, minutes: Ints) -> NDArray[np.bool_]:
        """Where at least half of a step's minutes are there."""
        return 2 * minutes >= self._step_minutes


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


def _tokens(rows: Table, kind: TokenKind) -> Floats:
    net = rows["net"]
    mean = np.where(np.isnan(_mean(rows, kind)), _span_mean(rows, kind), _mean(rows, kind))
    if kind is TokenKind.INPUT:
        return np.where(net > 0, mean * net, 0.0)
    missing = np.maximum(net - rows["output_completed"], 0)
    return rows["output_tokens"] + np.where(missing > 0, mean * missing, 0.0)


def _peaks(rows: Table, kind: TokenKind) -> Floats:
    name = "peak_input" if kind is TokenKind.INPUT else "peak_output"
    return np.where(
        np.isnan(rows[name]), rows["peak_net"] * _span_mean(rows, kind), rows[name]
    ).astype(np.float64)


def _mean(rows: Table, kind: TokenKind) -> Floats:
    """Tokens per request of each row; NaN where nothing was measured."""
    tokens, requests = _measured(kind)
    return np.where(
        rows[requests] > 0, rows[tokens] / np.maximum(rows[requests], 1), np.nan
    ).astype(np.float64)


def _span_mean(rows: Table, kind: TokenKind) -> float:
    tokens, requests = _measured(kind)
    total = int(rows[requests].sum())
    return int(rows[tokens].sum()) / total if total else float("nan")


def _measured(kind: TokenKind) -> tuple[str, str]:
    if kind is TokenKind.INPUT:
        return "input_tokens", "input_offered"
    return "output_tokens", "output_completed"


def _add_aggregates(
    rates: dict[SeriesKey, Floats], peaks: Mapping[SeriesKey, Floats], coverage: Coverage
) -> None:
    """Each aggregate is the sum of its origins' rates, missing where any origin is missing."""
    missing = np.zeros(coverage.steps, np.bool_)
    for origin in coverage.origins:
        missing |= ~coverage.enough(coverage.counts(origin))
    parts: dict[SeriesKey, list[Floats]] = {}
    for series in sorted(rates):
        demand = series.demand
        above = DemandKey(origin=EVERYWHERE, model=demand.model, tier=demand.tier)
        parts.setdefault(SeriesKey(demand=above, kind=series.kind), []).append(rates[series])
    for series, origins in parts.items():
        if series in peaks:
            rates[series] = np.where(missing, np.nan, np.sum(origins, axis=0))


def _spread(values: NDArray[_Number], place: Ints, steps: int) -> NDArray[_Number]:
    dense = np.zeros(steps, values.dtype)
    dense[place] = values
    return dense


def _values(column: Floats, present: Floats | None = None) -> tuple[float | None, ...]:
    missing = np.isnan(column if present is None else present).tolist()
    return tuple(
        None if gone else value for value, gone in zip(column.tolist(), missing, strict=True)
    )


def _sum_minutes(minutes: Table) -> Table:
    """One row per (key, minute), sorted."""
    table = minutes[np.lexsort((minutes["start"], minutes["key"]))]
    firsts = _firsts(table["key"], table["start"])
    out = np.empty(len(firsts), MINUTE)
    for name in ("key", "start"):
        out[name] = table[name][firsts]
    for name in (*_SUMS, "input_measured", "output_measured"):
        out[name] = np.add.reduceat(table[name], firsts)
    return out


def _fold_keys(minutes: Table, step: int, anchor: int) -> Table:
    table, firsts = _grouped(minutes, step, anchor)
    out = np.empty(len(firsts), FOLDED)
    _place(out, table, firsts, step, anchor)
    for name in _SUMS:
        out[name] = np.add.reduceat(table[name], firsts)
    wanted = table["net"] > 0
    for name in ("input", "output"):
        unmeasured = wanted & (table[f"{name}_measured"] == 0)
        out[f"{name}_unmeasured"] = np.add.reduceat(unmeasured.astype(np.int64), firsts)
    out["peak_net"] = np.maximum.reduceat(table["net"], firsts)
    lengths = np.diff(np.append(firsts, len(table)))
    mean = np.repeat(_mean(out, TokenKind.OUTPUT), lengths)
    missing = np.maximum(table["net"] - table["output_completed"], 0)
    output = table["output_tokens"] + np.where(missing > 0, mean * missing, 0.0)
    own = _mean(table, TokenKind.INPUT)
    mean = np.where(np.isnan(own), np.repeat(_mean(out, TokenKind.INPUT), lengths), own)
    prompt = np.where(wanted, mean * table["net"], 0.0)
    out["peak_input"] = np.maximum.reduceat(prompt, firsts)
    out["peak_output"] = np.maximum.reduceat(output, firsts)
    return out


def _grouped(table: Table, step: int, anchor: int) -> tuple[Table, Ints]:
    """The table sorted by (key, bucket), and where each bucket begins."""
    ordered = table[np.lexsort((table["start"], table["key"]))]
    return ordered, _firsts(ordered["key"], (ordered["start"] - anchor) // step)


def _firsts(*columns: Ints) -> Ints:
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _place(out: Table, table: Table, firsts: Ints, step: int, anchor: int) -> None:
    out["key"] = table["key"][firsts]
    out["start"] = (table["start"][firsts] - anchor) // step * step + anchor


def whole_steps(span: Span, step: timedelta) -> Span:
    """The span cut to whole steps from its start."""
    return Span(span.start, span.start + span.length // step * step)


def minute_rows(rows: Iterable[Sequence[int]]) -> Table:
    """Rows in the order of `MINUTE` as a table."""
    return np.array([tuple(row) for row in rows], dtype=MINUTE)


def table_of(blobs: Iterable[bytes]) -> Table:
    """Stored buckets (`Table.tobytes()` of FOLDED) as one table."""
    return np.frombuffer(b"".join(blobs), FOLDED)
