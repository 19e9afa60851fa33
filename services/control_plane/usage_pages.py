"""One page of a usage query: looks only as far into the span as the page reaches.

Buckets are ordered by time first, so a page is read slice by slice of time from where the page before
ended; how long the next slice is follows from how much the last one held. A page costs what it shows,
however long the span is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from math import ceil

from heliostat.model.instants import Span
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from heliostat.ports.history import UsageHistory

UsagePlace = tuple[datetime, UsageSeries]
"""A bucket's start and series: the order of buckets."""


def usage_page(
    history: UsageHistory, query: UsageQuery, *, after: UsagePlace | None, most: int
) -> list[UsageBucket]:
    """The first `most` buckets behind that place (None = from the beginning).

    Raises what `UsageHistory.query` raises.
    """
    found: list[UsageBucket] = []
    for buckets in _slices(history, query, _start(history, query, after), most):
        found += [b for b in buckets if after is None or (b.start, b.series) > after]
        if len(found) >= most:
            break
    return found[:most]


def _slices(
    history: UsageHistory, query: UsageQuery, start: datetime, wanted: int
) -> Iterator[tuple[UsageBucket, ...]]:
    """The buckets from `start` on, in slices that are expected to hold what is wanted, or the rest of
    it; a slice without any is followed by one of twice its length."""
    length, held = 1, 0
    while start < query.span.end:
        left = ceil((query.span.end - start) / query.bucket)
        end = query.span.end if length >= left else start + length * query.bucket
        buckets = history.query(replace(query, span=Span(start, end)))
        yield buckets
        held += len(buckets)
        if buckets:
            length = max(1, ceil((wanted - held) * length / len(buckets)))
        else:
            length *= 2
        start = end


def _start(history: UsageHistory, query: UsageQuery, after: UsagePlace | None) -> datetime:
    """The bucket in which the page can begin: not before the page before ended, nor before history."""
    if after is not None:
        return max(query.span.start, after[0])
    first = history.first_window()
    if first is None or first <= query.span.start:
        return query.span.start
    whole = (first - query.span.start) // query.bucket * query.bucket
    return min(query.span.start + whole, query.span.end)
