"""Knows which minutes each origin reported: what was not reported is missing, never zero."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import RegionName
from storage.fold import BUCKET_MINUTES, MINUTE_SECONDS, Ints

_BITS = np.arange(BUCKET_MINUTES)
GONE_AFTER = timedelta(days=3)
"""An origin that was silent for so long while others were heard of is no longer in use. Minutes of that
age are rolled up, so what it has not reported by then cannot come any more."""


class Coverage:
    """Which minutes each origin reported inside a span, counted on a grid of `step` from its start."""

    def __init__(self, span: Span, step: timedelta) -> None:
        self._start = to_epoch(span.start)
        self._step_minutes = int(step.total_seconds()) // MINUTE_SECONDS
        self.steps = span.length // step
        self._minutes: dict[RegionName, NDArray[np.bool_]] = {}
        self._until: dict[RegionName, int] = {}

    def reported(self, origin: RegionName, until: int) -> None:
        """Say up to when (epoch seconds) an origin reported at all, perhaps outside the span."""
        if origin not in self._minutes:
            self._minutes[origin] = np.zeros(self.steps * self._step_minutes, np.bool_)
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
        """The steps in which an origin belongs to the whole: those that begin within `GONE_AFTER` of its
        last minute, and all of them unless others were heard of after that. None where it never
        reported."""
        if origin not in self._until:
            return np.zeros(self.steps, np.bool_)
        starts = self._start + np.arange(self.steps) * self._step_minutes * MINUTE_SECONDS
        gone_from = self._until[origin] + int(GONE_AFTER.total_seconds())
        if max(self._until.values()) <= gone_from:
            return np.ones(self.steps, np.bool_)
        return starts < gone_from

    def enough(self, minutes: Ints) -> NDArray[np.bool_]:
        """Where at least half of a step's minutes are there."""
        return 2 * minutes >= self._step_minutes
