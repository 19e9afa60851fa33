"""Whole requests in order of arrival: which windows are served, completed and revised.

The fluid moves in fractions; what is reported is whole. Per series the ledger keeps three running
totals, arrived ≥ started ≥ completed, and reads each window's part off them, first come first served.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from heliostat.model.latency import LatencySketch
from heliostat.model.usage import UsageSeries, UsageWindow

_ROUNDING = 1e-6
_MANY = 10_000
Buckets = dict[int, int]
KINDS = ("ttft", "itl", "e2e")


@dataclass(slots=True, kw_only=True)
class OpenWindow:
    """A window some of whose requests are not completed; `before` = arrivals of the series before it."""

    start: datetime
    before: int
    offered: int
    admitted: int
    input_tokens: int
    output_tokens: int
    """What all admitted requests generate in the end."""
    completed: int = 0
    sampled: int = 0
    revision: int = 0
    changed: bool = True
    ttft: Buckets = field(default_factory=dict)
    itl: Buckets = field(default_factory=dict)
    e2e: Buckets = field(default_factory=dict)

    @property
    def generated(self) -> int:
        """Output tokens of the requests that completed."""
        if self.completed == self.admitted:
            return self.output_tokens
        return self.output_tokens * self.completed // self.admitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Requests of one window that start in this minute: positions `first` to `last` of its series."""

    window: OpenWindow
    first: float
    last: float


class Past:
    """Counts per bucket of many windows, summed up now and then: far quicker than one by one."""

    def __init__(self) -> None:
        self._buckets: list[int] = []
        self._counts: list[int] = []
        self._summed: Counter[int] = Counter()

    def add(self, buckets: Buckets) -> None:
        """Take in a window's."""
        self._buckets += buckets.keys()
        self._counts += buckets.values()
        if len(self._buckets) >= _MANY:
            self._sum()

    def total(self) -> Counter[int]:
        """Of all windows so far; the caller's own."""
        self._sum()
        return self._summed.copy()

    def _sum(self) -> None:
        buckets, place = np.unique(np.array(self._buckets, np.int64), return_inverse=True)
        sums = np.zeros(len(buckets), np.int64)
        np.add.at(sums, place, self._counts)
        self._summed.update(dict(zip(buckets.tolist(), sums.tolist(), strict=True)))
        self._buckets, self._counts = [], []


@dataclass(slots=True, kw_only=True)
class SeriesLedger:
    """One series' running totals and open windows."""

    series: UsageSeries
    arrived: int = 0
    started: float = 0.0
    completed: float = 0.0
    windows: deque[OpenWindow] = field(default_factory=deque)
    _starts: deque[tuple[float, float, float]] = field(default_factory=deque)
    """(second at which a minute began, started before it, started in it), oldest first."""
    _past: dict[str, Past] = field(default_factory=lambda: {k: Past() for k in KINDS})
    """Latency buckets of the windows that were forgotten."""

    @property
    def waiting(self) -> float:
        """Admitted requests that have not started."""
        return self.arrived - self.started

    def arrive(self, window: OpenWindow) -> None:
        """Take a minute's arrivals."""
        self.windows.append(window)
        self.arrived += window.admitted

    def start(self, requests: float, second: float, *, emptied: bool) -> list[Chunk]:
        """Let so many requests start in the minute from `second`; `emptied` = nothing is left waiting."""
        first = self.started
        last = float(self.arrived) if emptied else min(first + requests, float(self.arrived))
        if last - first <= 0:
            return []
        self._starts.append((second, first, last - first))
        self.started = last
        return [
            Chunk(
                window=window,
                first=max(first, float(window.before)),
                last=min(last, float(window.before + window.admitted)),
            )
            for window in self.windows
            if window.before < last and window.before + window.admitted > first
        ]

    def complete(self, until_second: float, minute_seconds: float) -> int:
        """Complete what started until that second; returns how many whole requests that adds."""
        while self._starts:
            second, before, requests = self._starts[0]
            part = (until_second - second) / minute_seconds
            if part >= 1:
                self.completed = max(self.completed, before + requests)
                self._starts.popleft()
                continue
            self.completed = max(self.completed, before + requests * max(0.0, part))
            break
        return self._book()

    def _book(self) -> int:
        added = 0
        whole = int(self.completed + _ROUNDING)
        for window in self.windows:
            completed = min(max(whole - window.before, 0), window.admitted)
            if completed != window.completed:
                added += completed - window.completed
                window.completed, window.changed = completed, True
        return added

    def report(self) -> list[UsageWindow]:
        """Every window that changed, with its next revision; forgets windows that are complete."""
        news = []
        for window in self.windows:
            if window.changed:
                window.changed = False
                window.revision += 1
                news.append(_as_usage(self.series, window))
        while self.windows and self.windows[0].completed == self.windows[0].admitted:
            forgotten = self.windows.popleft()
            for kind, past in self._past.items():
                past.add(getattr(forgotten, kind))
        return news

    def latencies(self, kind: str) -> Counter[int]:
        """Latency buckets of one kind since the beginning."""
        total = self._past[kind].total()
        for window in self.windows:
            total.update(getattr(window, kind))
        return total


def _as_usage(series: UsageSeries, window: OpenWindow) -> UsageWindow:
    return UsageWindow(
        series=series,
        start=window.start,
        revision=window.revision,
        offered=window.offered,
        admitted=window.admitted,
        rejected=window.offered - window.admitted,
        completed=window.completed,
        input_tokens=window.input_tokens,
        output_tokens=window.generated,
        ttft=_sketch(window.ttft),
        itl=_sketch(window.itl),
        e2e=_sketch(window.e2e),
    )


def _sketch(buckets: Buckets) -> LatencySketch | None:
    return LatencySketch(dict(buckets)) if buckets else None
