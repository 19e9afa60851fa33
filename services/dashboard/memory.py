"""Caches demand and forecasts for the page, so that each update reads only new data.

Bucket values are kept by the start of their bucket; buckets of late are read again, since usage is
revised, older ones stand. What has left the page's frame is forgotten.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import SeriesKey
from heliostat.ports.forecasts import ForecastLedger
from heliostat.ports.history import UsageHistory
from services.dashboard.picture import Line

REVISED_FOR = timedelta(minutes=45)
"""How long the page looks at a bucket again."""
LEAD = timedelta(hours=1)
"""How long before a bucket a forecast must have been issued to be compared with what came."""

Buckets = dict[datetime, float | None]


def on_grid(values: Buckets, frame: Span) -> Line:
    """The values of the frame's buckets in order."""
    return tuple(values.get(start) for start in frame.steps(BUCKET))


def forget(values: Buckets, before: datetime) -> None:
    """Drop the buckets that start before that instant."""
    for start in [start for start in values if start < before]:
        del values[start]


class DemandMemory:
    """Demand per series, as the history counts it: holes are None."""

    def __init__(self, usage: UsageHistory) -> None:
        self._usage = usage
        self._read_until: datetime | None = None
        self.series: dict[SeriesKey, Buckets] = {}

    def read(self, frame: Span, now: datetime) -> None:
        """Take in whole buckets up to now."""
        for values in self.series.values():
            forget(values, frame.start)
        end = min(floor_to(now, BUCKET), frame.end)
        start = frame.start
        if self._read_until is not None:
            start = max(start, floor_to(self._read_until - REVISED_FOR, BUCKET))
        if start >= end:
            return
        for demand in self._usage.demand(Span(start, end), BUCKET):
            known = self.series.setdefault(demand.key, {})
            known.update(zip(demand.span.steps(BUCKET), demand.tokens_per_second, strict=True))
        self._read_until = end


class ExpectationMemory:
    """For one series the quantiles expected of each bucket by the last forecast issued in time."""

    def __init__(self, ledger: ForecastLedger, key: SeriesKey) -> None:
        self._ledger = ledger
        self._key = key
        self._read_until: datetime | None = None
        self.median: Buckets = {}
        self.high: Buckets = {}
        self.method = self.degraded = ""
        self.issued_at: datetime | None = None

    def read(self, frame: Span, now: datetime) -> None:
        """Take in forecasts issued up to now, oldest first, so that the newest fitting one stays."""
        until = now + timedelta(seconds=1)
        since = self._read_until or frame.start - timedelta(days=1)
        for forecast in self._ledger.issued(Span(min(since, until), until), [self._key]):
            middle = forecast.mean[forecast.level_index(0.5)]
            high = forecast.mean[forecast.level_index(0.95)]
            for step, start in enumerate(forecast.span.steps(forecast.step)):
                if start >= forecast.issued_at + LEAD or start not in self.median:
                    self.median[start], self.high[start] = middle[step], high[step]
            self.method, self.degraded = forecast.method, forecast.degraded
            self.issued_at = forecast.issued_at
        self._read_until = until
        for values in (self.median, self.high):
            forget(values, frame.start)
