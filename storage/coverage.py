"""Tracks which minutes each origin reported; unreported minutes are missing, never zero."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import RegionName
from storage.fold import BUCKET_MINUTES, MINUTE_SECONDS, Ints

_BITS = np.arange(BUCKET_MINUTES)
AWAY = timedelta(days=3)
"""An origin is not in use so long after its last report, and so long before its first one, while others do
report. Minutes of that age are rolled up: what it has not reported by then cannot come any more."""


class Coverage:
    """Which minutes each origin reported inside a span, counted on a grid of `step` from its start."""

    def __init__(self, span: Span, step: timedelta) -> None:
        self._start = to_epoch(span.start)
        self._step_minutes = int(step.total_seconds()) // MINUTE_SECONDS
        self.steps = span.length // step
        self._minutes: dict[RegionName, NDArray[np.bool_]] = {}
        self._since: dict[RegionName, int] = {}
        self._until: dict[RegionName, int] = {}

    def reported(self, origin: RegionName, since: int, until: int) -> None:
        """Say from when until when (epoch seconds) an origin reported at all, perhaps outside the span."""
        if origin not in self._minutes:
            self._minutes[origin] = np.zeros(self.steps * self._step_minutes, np.bool_)
        self._since[origin] = min(since, self._since.get(origin, since))
        self._until[origin] = max(until, self._until.get(origin, until))

    def add(self, origin: RegionName, bucket_starts: Sequence[int], masks: Sequence[int]) -> None:
        """Add 15 minutes from each start (epoch seconds) to an origin that reported: bit i of its mask is
        minute i."""
        minutes = self._minutes[origin]
        first = (np.array(bucket_starts, np.int64) - self._start) // MINUTE_SECONDS
        there = np.array(masks, np.int64)[:, None] >> _BITS & 1 == 1
        places = (first[:, None] + _BITS)[there]
        minutes[places[(places >= 0) & (places < len(minutes))]] = True

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

    def in_use(self, origin: RegionName) -> NDArray[np.bool_]:
        """The steps in which an origin belongs to the whole: all but those that lie `AWAY` from what it
        reported, on a side where others reported. None where it never did."""
        used = np.full(self.steps, origin in self._until)
        if origin not in self._until:
            return used
        starts = self._start + np.arange(self.steps) * self._step_minutes * MINUTE_SECONDS
        away = int(AWAY.total_seconds())
        came, gone = self._since[origin] - away, self._until[origin] + away
        if min(self._since.values()) < came:
            used &= starts >= came
        if max(self._until.values()) > gone:
            used &= starts < gone
        return used

    def enough(self, minutes: Ints) -> NDArray[np.bool_]:
        """Where at least half of a step's minutes are there."""
        return 2 * minutes >= self._step_minutes
