"""Usage windows as gateways report them: once when their minute ends, and anew when they changed.

A window is told again when all its requests are done, and before that after 2, 10 and 60 minutes, so
that what takes long neither waits to be known nor is told every minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from heliostat.model.instants import from_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.event.arrays import Arrays, empty_list
from simulation.event.layout import BUCKETS, KINDS, LOWEST_BUCKET, NOBODY
from simulation.event.packing import packed
from simulation.event.setting import TIER_LIST, Places

_SKETCH = KINDS * BUCKETS
"""Counts that a window's latencies take."""
AGES = (2, 10, 60)
"""Minutes after which a window that changed is told again."""
_COUNTS = (
    "series",
    "minute",
    "revision",
    "offered",
    "rejected",
    "retried",
    "completed",
    "input",
    "output",
)
_FIRST_WINDOWS = 4
"""Of each series, before there is need of more."""
Sketches = tuple[LatencySketch | None, ...]
"""TTFT, ITL and E2E of a window; None where nothing was recorded."""


class Reporting:
    """Tells windows at the end of each minute and forgets those that are complete."""

    def __init__(self, places: Places, arrays: Arrays, *, with_sketches: bool) -> None:
        self._arrays = arrays
        self._series = tuple(
            UsageSeries(origin=origin, serving=serving, model=model, tier=tier)
            for serving in places.regions
            for model in places.models
            for tier in TIER_LIST
            for origin in places.regions
        )
        self._with_sketches = with_sketches
        arrays.set(with_sketches=with_sketches)
        windows = _FIRST_WINDOWS * len(self._series)
        empty_list(arrays, "windows", "free_window", windows)
        if with_sketches:
            arrays.put("sketches", np.zeros(windows * _SKETCH, np.int32))

    def begin(self, minute: int) -> None:
        """Open a minute, counted since 1970: every series may need a new window."""
        arrays = self._arrays
        arrays.set(minute=minute)
        arrays["current"][:] = NOBODY
        windows = arrays["windows"]
        if len(windows) - self._open() < len(self._series):
            arrays.grow_list("windows", "free_window", 2 * len(windows))
            if self._with_sketches:
                known = arrays["sketches"]
                arrays.put("sketches", np.concatenate([known, np.zeros_like(known)]))

    def told(self, minute: int) -> tuple[UsageWindow, ...]:
        """The windows to tell at the end of that minute, by series and time.

        Only a window that changed can be told or be complete. There are few of them: most wait for
        batch work, for hours.
        """
        windows = self._arrays["windows"]
        changed = np.flatnonzero(windows["changed"])
        age = minute + 1 - windows["minute"][changed]
        complete = windows["open"][changed] == 0
        due = complete | (windows["revision"][changed] == 0)
        for told_again in AGES:
            due |= age == told_again
        chosen = changed[due]
        chosen = chosen[np.lexsort((windows["minute"][chosen], windows["series"][chosen]))]
        windows["revision"][chosen] += 1
        windows["changed"][chosen] = 0
        told = tuple(self._as_usage(chosen))
        self._free(changed[complete])
        return told

    def _as_usage(self, slots: NDArray[np.int64]) -> Iterator[UsageWindow]:
        windows = self._arrays["windows"]
        columns = [windows[name][slots].tolist() for name in _COUNTS]
        starts = {one: from_epoch(60 * one) for one in np.unique(windows["minute"][slots]).tolist()}
        for row, (ttft, itl, e2e) in zip(
            zip(*columns, strict=True), self._sketches_of(slots), strict=True
        ):
            series, minute, revision, offered, rejected, retried, completed, prompt, output = row
            yield UsageWindow(
                series=self._series[series],
                start=starts[minute],
                revision=revision,
                offered=offered,
                admitted=offered - rejected,
                rejected=rejected,
                retried=retried,
                completed=completed,
                input_tokens=prompt,
                output_tokens=output,
                ttft=ttft,
                itl=itl,
                e2e=e2e,
            )

    def _sketches_of(self, slots: NDArray[np.int64]) -> Iterator[Sketches]:
        """What each window has recorded."""
        if not self._with_sketches:
            yield from repeat((None, None, None), len(slots))
            return
        counts = self._arrays["sketches"].reshape(-1, BUCKETS)
        rows = counts[(slots[:, None] * KINDS + np.arange(KINDS)).ravel()]
        kinds = (
            None if data is None else LatencySketch.packed(data)
            for data in packed(rows, LOWEST_BUCKET)
        )
        yield from zip(*[kinds] * KINDS, strict=True)

    def _free(self, slots: NDArray[np.int64]) -> None:
        """Forget windows of which everything was told."""
        if not len(slots):
            return
        windows = self._arrays["windows"]
        windows["offered"][slots] = 0
        windows["next"][slots] = np.append(slots[1:], self._arrays.scalar("free_window"))
        self._arrays.set(free_window=slots[0])
        if self._with_sketches:
            self._arrays["sketches"].reshape(-1, _SKETCH)[slots] = 0

    def _open(self) -> int:
        return int(np.count_nonzero(self._arrays["windows"]["offered"]))
