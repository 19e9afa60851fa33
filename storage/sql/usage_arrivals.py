"""What a batch of windows says besides its windows: minutes reported, sources heard of, buckets touched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np

from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import COLUMNS, UsageBatch, UsageSeries
from storage.fold import BUCKET_SECONDS, MINUTE_SECONDS
from storage.sql.usage_windows import Line

_MEASURES = COLUMNS[2:]


class Arrivals:
    """The notes taken on batches that arrive together, ready to be stored."""

    def __init__(self) -> None:
        self.coverage: dict[tuple[RegionName, int], int] = {}
        """(origin, bucket start) → bits of the reported minutes."""
        self.reported_until: dict[tuple[RegionName, int], int] = {}
        """(origin, source number) → end of its latest minute, epoch seconds."""

    @property
    def buckets(self) -> list[int]:
        """Starts of the buckets that got windows, ascending."""
        return sorted({bucket for _, bucket in self.coverage})

    def note(self, batch: UsageBatch, source: int) -> None:
        """Take note of a batch."""
        if not len(batch):
            return
        origins = sorted({series.origin for series in batch.series})
        place = {origin: number for number, origin in enumerate(origins)}
        of_series = np.array([place[series.origin] for series in batch.series], np.int64)
        minutes = np.array(batch.window_start, np.int64) // MINUTE_SECONDS
        seen = np.unique(minutes * len(origins) + of_series[np.array(batch.series_index, np.int64)])
        for packed in seen.tolist():
            minute, number = divmod(packed, len(origins))
            self._note_minute(origins[number], minute * MINUTE_SECONDS, source)

    def _note_minute(self, origin: RegionName, start: int, source: int) -> None:
        bucket = start // BUCKET_SECONDS * BUCKET_SECONDS
        bit = 1 << (start - bucket) // MINUTE_SECONDS
        self.coverage[origin, bucket] = self.coverage.get((origin, bucket), 0) | bit
        place, until = (origin, source), start + MINUTE_SECONDS
        self.reported_until[place] = max(until, self.reported_until.get(place, 0))


def lines_of(batch: UsageBatch, source: int, numbers: Mapping[UsageSeries, int]) -> Iterator[Line]:
    """The batch's windows in the order of the table's columns."""
    of_series = [numbers[series] for series in batch.series]
    series = [of_series[index] for index in batch.series_index]
    measures = (getattr(batch, name) for name in _MEASURES)
    return zip(batch.window_start, series, repeat(source), *measures)


def since(batch: UsageBatch, start: int) -> tuple[UsageBatch, int]:
    """The batch without windows before `start` (epoch seconds), and how many those are."""
    kept = [place for place, at in enumerate(batch.window_start) if at >= start]
    if len(kept) == len(batch):
        return batch, 0
    columns: dict[str, Any] = {
        name: [getattr(batch, name)[place] for place in kept] for name in COLUMNS
    }
    return replace(batch, **columns), len(batch) - len(kept)


def demand_keys_of(
    batch: UsageBatch, known: Collection[UsageSeries]
) -> dict[UsageSeries, DemandKey]:
    """Series of the batch with offered requests that are not `known`, with their demand keys."""
    new = {index for index, series in enumerate(batch.series) if series not in known}
    if not new:
        return {}
    lines = zip(batch.series_index, batch.offered, strict=True)
    busy = {index for index, offered in lines if offered and index in new}
    return {series: series.demand for series in (batch.series[index] for index in busy)}


def with_aggregates(keys: Collection[DemandKey]) -> list[DemandKey]:
    """The keys and the aggregates above them."""
    return sorted({*keys, *(key.everywhere for key in keys)})
