"""Batch work that waits in a region, by deadline, read off the engine's bins.

A group whose count did not change since it was told last is told again as the same value: from one minute
to the next that is nearly every one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import ModelName, RegionName
from simulation.event.arrays import Arrays
from simulation.event.layout import BACKLOG_BINS, BATCH, DEADLINE_BINS
from simulation.event.setting import Places


@dataclass(slots=True, kw_only=True)
class _Bins:
    """One model's in one region: where its counts begin, and how many seconds of deadline each is for."""

    model: ModelName
    first: int
    width_seconds: float
    told: dict[int, BacklogGroup] = field(default_factory=dict)
    """The groups that were told last, each by the number of its bin since the engine's start."""


class WaitingBatch:
    """Tells what waits, region by region; never of an instant before the one it was asked for last."""

    def __init__(self, places: Places, arrays: Arrays, start: datetime) -> None:
        """`start` is the instant that the engine counts from."""
        self._arrays, self._start = arrays, start
        widths = dict(_widths(places, arrays))
        self._bins = {
            region: [
                _Bins(
                    model=model,
                    first=(at * len(places.models) + places.model_at[model]) * BACKLOG_BINS,
                    width_seconds=width,
                )
                for model, width in widths.items()
            ]
            for region, at in places.region_at.items()
        }

    def of(self, region: RegionName, now: datetime) -> tuple[BatchBacklog, ...]:
        """A value per model that serves batch work; groups are 96ths of its deadline wide, and due when
        their first could be: at the begin of that 96th, and not before now."""
        found = []
        for bins in self._bins[region]:
            bins.told = {
                number: self._group(bins, number, requests, now)
                for number, requests in self._counts(bins, now)
            }
            groups = tuple(bins.told.values())
            found.append(BatchBacklog(region=region, model=bins.model, groups=groups))
        return tuple(found)

    def _counts(self, bins: _Bins, now: datetime) -> Iterator[tuple[int, int]]:
        """The numbers of the bins in which anything waits, the earliest first, and how many requests."""
        at = (now - self._start).total_seconds()
        oldest = math.floor(at / bins.width_seconds) - (BACKLOG_BINS - DEADLINE_BINS - 2)
        counts = self._arrays["backlog"][bins.first : bins.first + BACKLOG_BINS].tolist()
        turn = oldest % BACKLOG_BINS
        in_order = enumerate(counts[turn:] + counts[:turn], oldest)
        return ((number, requests) for number, requests in in_order if requests)

    def _group(self, bins: _Bins, number: int, requests: int, now: datetime) -> BacklogGroup:
        known = bins.told.get(number)
        if known is not None and known.requests == requests and known.due >= now:
            return known
        due = self._start + timedelta(seconds=math.floor(number * bins.width_seconds))
        return BacklogGroup(due=max(now, due), requests=requests)


def _widths(places: Places, arrays: Arrays) -> Iterator[tuple[ModelName, float]]:
    """The models that serve batch work, and how many seconds a 96th of its deadline is."""
    demands = arrays["demands"]
    for model, place in places.model_at.items():
        of_batch = (demands["model"] == place) & (demands["tier"] == BATCH)
        if of_batch.any():
            yield model, float(demands["patience"][of_batch.argmax()]) / DEADLINE_BINS
