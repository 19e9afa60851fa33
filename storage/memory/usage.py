"""The usage history in memory: windows by minute, roll-ups and folded demand by quarter of an hour."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby, pairwise
from threading import RLock

import numpy as np

from heliostat.model.demand import DemandSeries, TokenMix
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.model.usage import UsageBatch, UsageBucket, UsageQuery, UsageReceipt
from storage import summing
from storage.coverage import Coverage
from storage.fold import BUCKET_SECONDS, MINUTE_SECONDS, Table, fold, table_of
from storage.memory.shelf import Shelf
from storage.notify import ChangeFeed, Topic
from storage.reading import DemandReader, aggregates, bucket_starts, runs, watermarks
from storage.receiving import accepted

_log = logging.getLogger(__name__)
_AT_ONCE = 96
"""Buckets that are folded together: a day has some 50,000 windows in memory as rows."""


class MemoryUsage:
    """Keeps `UsageHistory`'s promise in dictionaries."""

    def __init__(self, feed: ChangeFeed, lock: RLock) -> None:
        self._feed = feed
        self._lock = lock
        self._durable: dict[tuple[str, int], int] = {}
        self._shelf = Shelf()
        self._roll_ups: dict[int, tuple[UsageBucket, ...]] = {}
        """Of the buckets whose minutes are gone; who still has the minutes adds them up."""
        self._folded: dict[int, bytes] = {}
        self._masks: dict[RegionName, dict[int, int]] = {}
        self._reported_until: dict[tuple[RegionName, str], int] = {}
        self._keys: dict[DemandKey, int] = {}
        self._open: dict[int, set[tuple[ModelName, Tier]]] = {}
        """Buckets with windows newer than their fold, and what these are of, whatever their origin."""
        self._pruned_before = 0
        self._reader = DemandReader(self)

    # --- in ------------------------------------------------------------------------------------

    def record(self, batches: Sequence[UsageBatch]) -> tuple[UsageReceipt, ...]:
        with self._lock:
            news, receipts = accepted(batches, self.durable_sequence)
            for batch in news:
                self._store(batch)
                self._durable[batch.source_id, batch.incarnation] = batch.sequence
        if news:
            self._feed.publish((Topic.USAGE,))
        return receipts

    def durable_sequence(self, source_id: str, incarnation: int) -> int:
        with self._lock:
            return self._durable.get((source_id, incarnation), 0)

    def _store(self, batch: UsageBatch) -> None:
        news = self._shelf.put(batch, not_before=self._pruned_before)
        reported: dict[RegionName, set[int]] = {}
        for demand, starts in news.minutes.items():
            reported.setdefault(demand.origin, set()).update(starts)
            for bucket in {start // BUCKET_SECONDS * BUCKET_SECONDS for start in starts}:
                self._open.setdefault(bucket, set()).add((demand.model, demand.tier))
        for origin, starts in reported.items():
            masks = self._masks.setdefault(origin, {})
            for start in starts:
                bucket = start // BUCKET_SECONDS * BUCKET_SECONDS
                masks[bucket] = masks.get(bucket, 0) | 1 << (start - bucket) // MINUTE_SECONDS
            place = (origin, batch.source_id)
            until = max(starts) + MINUTE_SECONDS
            self._reported_until[place] = max(until, self._reported_until.get(place, 0))
        for demand in news.offered:
            if demand not in self._keys:
                for new in (demand, demand.everywhere):
                    self._keys.setdefault(new, len(self._keys))
        if news.late:
            _log.warning("usage_windows_came_after_retention: %d of %s", news.late, batch.source_id)

    # --- out -----------------------------------------------------------------------------------

    def query(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        with self._lock:
            if to_epoch(query.span.start) < self._pruned_before:
                summing.check_roll_up_grid(query)
            found = [*self._old_buckets(query), *self._minute_buckets(query)]
        return summing.regrouped(found, query.span, query.bucket)

    def net_offered(self, span: Span) -> Mapping[DemandKey, Mapping[datetime, int]]:
        with self._lock:
            return self._shelf.net_offered(span)

    def demand(self, span: Span, step: timedelta) -> tuple[DemandSeries, ...]:
        with self._lock:
            return self._reader.demand(span, step)

    def token_mixes(self, span: Span) -> tuple[TokenMix, ...]:
        with self._lock:
            return self._reader.token_mixes(span)

    def watermark(self, now: datetime) -> Mapping[RegionName, datetime]:
        with self._lock:
            return watermarks(((o, until) for (o, _), until in self._reported_until.items()), now)

    def first_window(self) -> datetime | None:
        with self._lock:
            first = min([*self._shelf.starts(), *self._roll_ups], default=None)
        return None if first is None else from_epoch(first)

    def minutes_kept_from(self) -> datetime:
        with self._lock:
            return from_epoch(self._pruned_before)

    # --- keeping -------------------------------------------------------------------------------

    def roll_up(self, now: datetime) -> int:
        with self._lock:
            closed = sorted(b for b in self._open if b + BUCKET_SECONDS <= to_epoch(now))
            for first in range(0, len(closed), _AT_ONCE):
                self._fold(closed[first : first + _AT_ONCE])
            for bucket in closed:
                del self._open[bucket]
            return sum(self._shelf.series_in(_bucket(bucket)) for bucket in closed)

    def prune(self, windows_before: datetime, roll_ups_before: datetime) -> int:
        with self._lock:
            before = min([to_epoch(windows_before) // BUCKET_SECONDS * BUCKET_SECONDS, *self._open])
            self._pruned_before = max(self._pruned_before, before)
            self._keep_roll_ups()
            removed = self._shelf.drop_before(self._pruned_before)
            limit = min(self._pruned_before, to_epoch(roll_ups_before))
            for bucket in [bucket for bucket in self._roll_ups if bucket + BUCKET_SECONDS <= limit]:
                removed += len(self._roll_ups.pop(bucket))
                self._folded.pop(bucket, None)
                for masks in self._masks.values():
                    masks.pop(bucket, None)
            return removed

    def _fold(self, buckets: Sequence[int]) -> None:
        """Fold some buckets, each by itself, anew for the demand that has newer windows in it: of a day's
        late windows most are of batch requests."""
        parts: list[Table] = []
        kept: list[bytes] = []
        for newer, alike in groupby(buckets, key=self._open.__getitem__):
            keys = {key: n for key, n in self._keys.items() if (key.model, key.tier) in newer}
            again = np.zeros(len(self._keys), np.bool_)
            again[[*keys.values()]] = True
            for run in runs([*alike]):
                parts.append(self._shelf.rows(run, keys))
                for bucket in bucket_starts(run):
                    before = table_of([self._folded.get(bucket, b"")])
                    kept.append(before[~again[before["key"]]].tobytes())
        folded = fold(np.concatenate(parts), aggregates(self.keys()), BUCKET_SECONDS)
        folded = folded[np.argsort(folded["start"], kind="stable")]
        edges = [*np.searchsorted(folded["start"], buckets).tolist(), len(folded)]
        for bucket, old, (first, last) in zip(buckets, kept, pairwise(edges), strict=True):
            self._folded[bucket] = old + folded[first:last].tobytes()

    def _keep_roll_ups(self) -> None:
        """Add up the minutes that are about to go."""
        going = {
            start // BUCKET_SECONDS * BUCKET_SECONDS
            for start in self._shelf.starts()
            if start < self._pruned_before
        }
        for bucket in sorted(going):
            self._roll_ups[bucket] = tuple(self._minute_buckets(UsageQuery(span=_bucket(bucket))))

    # --- for the reader ------------------------------------------------------------------------

    def keys(self) -> Mapping[int, DemandKey]:
        return {number: key for key, number in self._keys.items()}

    def coverage(self, span: Span, step: timedelta) -> Coverage:
        coverage = Coverage(span, step)
        for (origin, _), until in self._reported_until.items():
            coverage.reported(origin, until, until)
        for origin, masks in self._masks.items():
            if masks:
                coverage.reported(origin, first := min(masks), first)
            known = [bucket for bucket in bucket_starts(span) if bucket in masks]
            coverage.add(origin, known, [masks[bucket] for bucket in known])
        return coverage

    def folded(self, span: Span) -> Table:
        return table_of(
            self._folded[bucket]
            for bucket in bucket_starts(span)
            if bucket in self._folded and bucket not in self._open
        )

    def open_buckets(self, span: Span) -> tuple[int, ...]:
        return tuple(sorted(self._open.keys() & set(bucket_starts(span))))

    def pruned_before(self) -> int:
        return self._pruned_before

    def minutes(self, span: Span) -> Table:
        return self._shelf.rows(span, self._keys)

    # --- inside --------------------------------------------------------------------------------

    def _minute_buckets(self, query: UsageQuery) -> list[UsageBucket]:
        return self._shelf.buckets(
            query.span,
            int(query.bucket.total_seconds()),
            partial(summing.matches, query),
            with_latency=query.with_latency,
        )

    def _old_buckets(self, query: UsageQuery) -> Iterator[UsageBucket]:
        for start in bucket_starts(query.span):
            if start >= self._pruned_before:
                return
            for rolled in self._roll_ups.get(start, ()):
                if summing.matches(query, rolled.series):
                    yield rolled if query.with_latency else summing.without_latency(rolled)


def _bucket(start: int) -> Span:
    """The quarter of an hour from that instant (epoch seconds)."""
    return Span(from_epoch(start), from_epoch(start + BUCKET_SECONDS))
