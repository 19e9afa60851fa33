"""Usage windows as gateways report them: once when their minute ends, and anew when they changed.

A window is told again when all its requests are done, and before that after 2, 10 and 60 minutes, so
that what takes long neither waits to be known nor is told every minute.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from heliostat.model.instants import from_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.event.arrays import Arrays, empty_list
from simulation.event.layout import BUCKETS, LOWEST_BUCKET, NOBODY, SAMPLE
from simulation.event.setting import TIER_LIST, Places

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
_KINDS = ("ttft", "itl", "e2e")
Buckets = dict[int, int]


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
        self._buckets: dict[int, tuple[Buckets, Buckets, Buckets]] = {}
        arrays.set(with_samples=with_sketches)
        empty_list(arrays, "windows", "free_window", 4 * len(self._series))

    def begin(self, minute: int) -> None:
        """Open a minute, counted since 1970: every series may need a new window."""
        arrays = self._arrays
        arrays.set(minute=minute)
        arrays["current"][:] = NOBODY
        windows = arrays["windows"]
        if len(windows) - self._open() < len(self._series):
            arrays.grow_list("windows", "free_window", 2 * len(windows))

    def make_room_for(self, requests: int) -> None:
        """Where sketches are kept: so many requests may finish."""
        arrays = self._arrays
        if not arrays.scalar("with_samples"):
            return
        needed = arrays.scalar("sampled") + requests
        if needed > len(arrays["samples"]):
            grown = np.zeros(2 * needed, SAMPLE)
            grown[: len(arrays["samples"])] = arrays["samples"]
            arrays.put("samples", grown)

    def told(self, minute: int) -> tuple[UsageWindow, ...]:
        """The windows to tell at the end of that minute, by series and time."""
        self._collect()
        windows = self._arrays["windows"]
        used = np.flatnonzero(windows["offered"])
        rows = windows[used]
        age = minute + 1 - rows["minute"]
        due = (rows["revision"] == 0) | (rows["open"] == 0) | np.isin(age, AGES)
        chosen = used[due & (rows["changed"] == 1)]
        chosen = chosen[np.lexsort((windows["minute"][chosen], windows["series"][chosen]))]
        windows["revision"][chosen] += 1
        windows["changed"][chosen] = 0
        told = tuple(self._as_usage(chosen))
        self._free(used[windows["open"][used] == 0])
        return told

    def _as_usage(self, slots: NDArray[np.int64]) -> Iterator[UsageWindow]:
        columns = [self._arrays["windows"][name][slots].tolist() for name in _COUNTS]
        for slot, *row in zip(slots.tolist(), *columns, strict=True):
            series, minute, revision, offered, rejected, retried, completed, prompt, output = row
            ttft, itl, e2e = self._sketches_of(slot)
            yield UsageWindow(
                series=self._series[series],
                start=from_epoch(60 * minute),
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

    def _sketches_of(self, slot: int) -> tuple[LatencySketch | None, ...]:
        """TTFT, ITL and E2E of a window; None where nothing was recorded."""
        kept = self._buckets.get(slot)
        if kept is None:
            return (None, None, None)
        return tuple(LatencySketch(dict(kind)) if kind else None for kind in kept)

    def _collect(self) -> None:
        """Sort the latencies of requests that finished into their windows."""
        arrays = self._arrays
        count = arrays.scalar("sampled")
        if not count:
            return
        samples = arrays["samples"][:count]
        for kind, column in enumerate(_KINDS):
            known = samples[samples[column] >= 0]
            places = known["window"].astype(np.int64) * BUCKETS + known[column]
            for place, number in zip(
                *map(np.ndarray.tolist, np.unique_counts(places)), strict=True
            ):
                window, bucket = divmod(place, BUCKETS)
                kept = self._buckets.setdefault(window, ({}, {}, {}))[kind]
                kept[bucket + LOWEST_BUCKET] = kept.get(bucket + LOWEST_BUCKET, 0) + number
        arrays.set(sampled=0)

    def _free(self, slots: NDArray[np.int64]) -> None:
        """Forget windows of which everything was told."""
        windows = self._arrays["windows"]
        for slot in slots.tolist():
            self._buckets.pop(slot, None)
            windows["offered"][slot] = 0
            windows["next"][slot] = self._arrays.scalar("free_window")
            self._arrays.set(free_window=slot)

    def _open(self) -> int:
        return int(np.count_nonzero(self._arrays["windows"]["offered"]))
