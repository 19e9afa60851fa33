"""One stored usage window in memory: out of a batch's columns, into a bucket or a row of minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heliostat.model.instants import from_epoch
from heliostat.model.latency import merged, sketch_of
from heliostat.model.usage import COLUMNS, UsageBatch, UsageBucket, UsageSeries
from storage.summing import measured_sum


class Window(NamedTuple):
    """What one source measured of one series in one minute; sketches stay bytes until somebody asks.

    A plain tuple: a simulated day brings a million of them.
    """

    revision: int
    offered: int
    admitted: int
    rejected: int
    retried: int
    completed: int
    input_tokens: int | None
    output_tokens: int | None
    ttft: bytes | None
    itl: bytes | None
    e2e: bytes | None

    def as_minute(self, key: int, start: int) -> tuple[int, ...]:
        """The window as a row of `storage.fold.MINUTE`; `start` in epoch seconds."""
        return (
            key,
            start,
            self.offered - self.retried,
            self.input_tokens or 0,
            0 if self.input_tokens is None else self.offered,
            self.output_tokens or 0,
            0 if self.output_tokens is None else self.completed,
            int(self.input_tokens is not None),
            int(self.output_tokens is not None),
        )


def windows_of(batch: UsageBatch) -> Iterator[tuple[int, int, Window]]:
    """Each line's place among the batch's series, start (epoch seconds) and window."""
    lines = map(Window._make, zip(*(getattr(batch, name) for name in COLUMNS[2:]), strict=True))
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
