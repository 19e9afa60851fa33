"""One stored usage window in memory: out of a batch's columns, into a bucket or a row of minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from heliostat.model.instants import from_epoch
from heliostat.model.latency import sketch_of
from heliostat.model.usage import COLUMNS, UsageBatch, UsageBucket, UsageSeries


@dataclass(frozen=True, slots=True)
class Window:
    """What one source measured of one series in one minute; sketches stay bytes until somebody asks."""

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

    def as_bucket(self, series: UsageSeries, start: int, *, with_latency: bool) -> UsageBucket:
        """The window as a bucket of one minute."""
        ttft, itl, e2e = (self.ttft, self.itl, self.e2e) if with_latency else (None, None, None)
        return UsageBucket(
            series=series,
            start=from_epoch(start),
            windows=1,
            offered=self.offered,
            admitted=self.admitted,
            rejected=self.rejected,
            retried=self.retried,
            completed=self.completed,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            windows_without_input=int(self.input_tokens is None),
            windows_without_output=int(self.output_tokens is None),
            ttft=sketch_of(ttft),
            itl=sketch_of(itl),
            e2e=sketch_of(e2e),
        )


def windows_of(batch: UsageBatch) -> Iterator[tuple[UsageSeries, int, Window]]:
    """Each line's series, start (epoch seconds) and window."""
    values = zip(*(getattr(batch, name) for name in COLUMNS[2:]), strict=True)
    for index, start, line in zip(batch.series_index, batch.window_start, values, strict=True):
        yield batch.series[index], start, Window(*line)
