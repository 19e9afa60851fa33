"""One stored usage window in memory: out of a batch's columns, into a bucket or a row of minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from heliostat.model.instants import from_epoch
from heliostat.model.latency import merged, sketch_of
from heliostat.model.usage import COLUMNS, UsageBatch, UsageBucket, UsageSeries
from storage.fold import MINUTE, Table
from storage.summing import measured_sum

Window = tuple[Any, ...]
"""What one source measured of one series in one minute: the columns of a batch from `revision` on.

A plain tuple of plain values (sketches stay bytes until somebody asks), which the garbage collector
leaves alone: a simulated day brings a million of them.
"""
_FIELDS = COLUMNS[2:]
REVISION, OFFERED, RETRIED = map(_FIELDS.index, ("revision", "offered", "retried"))
"""Their places in a window."""


def windows_of(batch: UsageBatch) -> Iterator[tuple[int, int, Window]]:
    """Each line's place among the batch's series, start (epoch seconds) and window."""
    lines = zip(*(getattr(batch, name) for name in _FIELDS), strict=True)
    return zip(batch.series_index, batch.window_start, lines, strict=True)


def bucket_of(
    series: UsageSeries, start: int, windows: Sequence[Window], *, with_latency: bool
) -> UsageBucket:
    """The windows of one series as one bucket from `start` (epoch seconds), summed."""
    (
        _,
        offered,
        admitted,
        rejected,
        retried,
        completed,
        input_tokens,
        output_tokens,
        *latencies,
    ) = zip(*windows, strict=True)
    ttft, itl, e2e = (
        merged(map(sketch_of, kind)) if with_latency and any(kind) else None for kind in latencies
    )
    return UsageBucket(
        series=series,
        start=from_epoch(start),
        windows=len(windows),
        offered=sum(offered),
        admitted=sum(admitted),
        rejected=sum(rejected),
        retried=sum(retried),
        completed=sum(completed),
        input_tokens=measured_sum(input_tokens),
        output_tokens=measured_sum(output_tokens),
        windows_without_input=input_tokens.count(None),
        windows_without_output=output_tokens.count(None),
        ttft=ttft,
        itl=itl,
        e2e=e2e,
    )


def minutes_of(keys: Sequence[int], starts: Sequence[int], windows: Sequence[Window]) -> Table:
    """Windows, each with its demand's key and start (epoch seconds), as a table of `storage.fold.MINUTE`.

    At once: a fortnight of history has a million and a half. Tokens below 2^53 survive as floats, in
    which what was not measured is NaN.
    """
    table = np.empty(len(windows), MINUTE)
    if not windows:
        return table
    columns = dict(zip(_FIELDS, zip(*windows, strict=True), strict=True))
    offered, retried, completed = (
        np.fromiter(columns[name], np.int64, len(windows))
        for name in ("offered", "retried", "completed")
    )
    prompts, outputs = (
        np.array(columns[name], np.float64) for name in ("input_tokens", "output_tokens")
    )
    with_input, with_output = ~np.isnan(prompts), ~np.isnan(outputs)
    table["key"], table["start"] = keys, starts
    table["net"] = offered - retried
    table["input_tokens"] = np.where(with_input, prompts, 0)
    table["input_offered"] = offered * with_input
    table["input_measured"] = with_input
    table["output_tokens"] = np.where(with_output, outputs, 0)
    table["output_completed"] = completed * with_output
    table["output_measured"] = with_output
    return table
