"""Adds up usage buckets: any order of adding gives the same sums, and nothing measured stays None."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.latency import merged
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from storage.fold import BUCKET_SECONDS


def matches(query: UsageQuery, series: UsageSeries) -> bool:
    """True when no filter of the query excludes the series."""
    return (
        (not query.origins or series.origin in query.origins)
        and (not query.servings or series.serving in query.servings)
        and (not query.models or series.model in query.models)
        and (not query.tiers or series.tier in query.tiers)
    )


def regrouped(
    buckets: Iterable[UsageBucket], span: Span, length: timedelta
) -> tuple[UsageBucket, ...]:
    """The buckets summed into longer ones counted from the span's start, by (start, series)."""
    groups: dict[tuple[int, UsageSeries], list[UsageBucket]] = {}
    first, step = to_epoch(span.start), int(length.total_seconds())
    for bucket in buckets:
        start = first + (to_epoch(bucket.start) - first) // step * step
        groups.setdefault((start, bucket.series), []).append(bucket)
    return tuple(_summed(start, series, parts) for (start, series), parts in sorted(groups.items()))


def check_roll_up_grid(query: UsageQuery) -> None:
    """Raise InvalidInput unless 15-minute roll-ups can answer the query."""
    length = int(query.bucket.total_seconds())
    if length % BUCKET_SECONDS:
        raise InvalidInput(
            "bucket",
            f"{query.bucket} is not a multiple of 15 minutes, and minutes that old are rolled up",
            remedy="use 15 minutes, or a later span",
        )
    if to_epoch(query.span.start) % BUCKET_SECONDS:
        raise InvalidInput("span.start", "must be 15 minutes where minutes are rolled up")


def without_latency(bucket: UsageBucket) -> UsageBucket:
    """The bucket's counts alone."""
    return replace(bucket, ttft=None, itl=None, e2e=None)


def _summed(start: int, series: UsageSeries, parts: list[UsageBucket]) -> UsageBucket:
    if len(parts) == 1 and to_epoch(parts[0].start) == start:
        return parts[0]
    return UsageBucket(
        series=series,
        start=from_epoch(start),
        windows=sum(part.windows for part in parts),
        offered=sum(part.offered for part in parts),
        admitted=sum(part.admitted for part in parts),
        rejected=sum(part.rejected for part in parts),
        retried=sum(part.retried for part in parts),
        completed=sum(part.completed for part in parts),
        input_tokens=measured_sum(part.input_tokens for part in parts),
        output_tokens=measured_sum(part.output_tokens for part in parts),
        windows_without_input=sum(part.windows_without_input for part in parts),
        windows_without_output=sum(part.windows_without_output for part in parts),
        ttft=merged(part.ttft for part in parts),
        itl=merged(part.itl for part in parts),
        e2e=merged(part.e2e for part in parts),
    )


def measured_sum(tokens: Iterable[int | None]) -> int | None:
    """The tokens that were measured; None when none were."""
    measured = [count for count in tokens if count is not None]
    return sum(measured) if measured else None
