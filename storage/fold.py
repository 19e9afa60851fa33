"""Folds summed minutes of demand into buckets: sums, unmeasured minutes and the largest minute.

Works on whole columns. Everything that is summed is an integer, so any store that holds the same
windows gives the same floats.

Per minute and demand key, *net* = offered − retried. Input demand is the measured prompt tokens per
offered request × net. Output demand is the generated tokens plus (net − completed) × the mean
output of completed requests: what was shed, failed or is still running is wanted all the same. The
mean is the bucket's own, else that of the whole span. A minute with net > 0 in which no window
measured tokens is *unmeasured*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from heliostat.model.demand import BUCKET as BUCKET_LENGTH
from heliostat.model.names import TokenKind

MINUTE_SECONDS = 60
BUCKET_SECONDS = int(BUCKET_LENGTH.total_seconds())
BUCKET_MINUTES = BUCKET_SECONDS // MINUTE_SECONDS

Table = NDArray[np.void]
"""A one-dimensional structured array."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
    own = _sum_minutes(minutes)
    above = own.copy()
    above["key"] = [aggregate_of[key] for key in own["key"].tolist()]
    return _fold_keys(_sum_minutes(np.concatenate([own, above])), step, anchor)


def combine(folded: Table, step: int, anchor: int = 0) -> Table:
    """The same in longer buckets: sums add up, peaks are the largest."""
    if not len(folded):
        return folded
    table = _sorted(folded)
    firsts = _buckets(table, step, anchor)
    out = np.empty(len(firsts), FOLDED)
    _place(out, table, firsts, step, anchor)
    for name in (*_SUMS, "input_unmeasured", "output_unmeasured"):
        out[name] = np.add.reduceat(table[name], firsts)
    for name in ("peak_net", "peak_input", "peak_output"):
        out[name] = np.maximum.reduceat(table[name], firsts)
    return out


def table_of(blobs: Iterable[bytes]) -> Table:
    """Stored buckets (`Table.tobytes()` of FOLDED) as one table."""
    return np.frombuffer(b"".join(blobs), FOLDED)


def mean_of(rows: Table, kind: TokenKind) -> Floats:
    """Tokens per request of each row; NaN where nothing was measured."""
    tokens, requests = measured_columns(kind)
    return np.where(
        rows[requests] > 0, rows[tokens] / np.maximum(rows[requests], 1), np.nan
    ).astype(np.float64)


def measured_columns(kind: TokenKind) -> tuple[str, str]:
    """The columns of measured tokens, and of the requests that they were measured on."""
    if kind is TokenKind.INPUT:
        return "input_tokens", "input_offered"
    return "output_tokens", "output_completed"


def _sum_minutes(minutes: Table) -> Table:
    """One row per (key, minute), sorted."""
    table = _sorted(minutes)
    firsts = _firsts(table["key"], table["start"])
    out = np.empty(len(firsts), MINUTE)
    for name in ("key", "start"):
        out[name] = table[name][firsts]
    for name in (*_SUMS, "input_measured", "output_measured"):
        out[name] = np.add.reduceat(table[name], firsts)
    return out


def _fold_keys(table: Table, step: int, anchor: int) -> Table:
    """Buckets of summed minutes, which are sorted."""
    firsts = _buckets(table, step, anchor)
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
    mean = np.repeat(mean_of(out, TokenKind.OUTPUT), lengths)
    missing = np.maximum(table["net"] - table["output_completed"], 0)
    output = table["output_tokens"] + np.where(missing > 0, mean * missing, 0.0)
    own = mean_of(table, TokenKind.INPUT)
    mean = np.where(np.isnan(own), np.repeat(mean_of(out, TokenKind.INPUT), lengths), own)
    prompt = np.where(wanted, mean * table["net"], 0.0)
    out["peak_input"] = np.maximum.reduceat(prompt, firsts)
    out["peak_output"] = np.maximum.reduceat(output, firsts)
    return out


def _sorted(table: Table) -> Table:
    """The table by key, then by start."""
    return table[np.lexsort((table["start"], table["key"]))]


def _buckets(table: Table, step: int, anchor: int) -> Ints:
    """Where each bucket of a sorted table begins."""
    return _firsts(table["key"], (table["start"] - anchor) // step)


def _firsts(*columns: Ints) -> Ints:
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _place(out: Table, table: Table, firsts: Ints, step: int, anchor: int) -> None:
    out["key"] = table["key"][firsts]
    out["start"] = (table["start"][firsts] - anchor) // step * step + anchor
