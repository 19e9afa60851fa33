"""Usage as people look at it: filters, queries, and buckets."""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.model.latency import LatencySketch, bytes_of
from heliostat.model.usage import WINDOW, UsageBucket, UsageQuery
from heliostat.v1 import usage_pb2
from services.translation.enums import TIER
from services.translation.fields import (
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
    span_from_wire,
    span_to_wire,
)
from services.translation.names import known_models, known_regions
from services.translation.usage import usage_series_from_wire, usage_series_to_wire

FURTHEST_BACK = timedelta(days=1)


def query_to_wire(
    query: UsageQuery, *, page_size: int = 0, page_token: str = ""
) -> usage_pb2.QueryUsageRequest:
    """The question for one page."""
    return usage_pb2.QueryUsageRequest(
        span=span_to_wire(query.span),
        bucket=length_to_wire(query.bucket),
        filter=filter_to_wire(query),
        with_latency=query.with_latency,
        page_size=page_size,
        page_token=page_token,
    )


def query_from_wire(request: usage_pb2.QueryUsageRequest, catalogue: FleetCatalogue) -> UsageQuery:
    """The question. Raises InvalidInput or an Unknown… error."""
    bucket = BUCKET
    if request.HasField("bucket"):
        bucket = length_from_wire("bucket", request.bucket)
    span = span_from_wire(required("", request, "span"), request.span)
    return _query(span, bucket, request.filter, request.with_latency, catalogue)


def stream_query_from_wire(
    request: usage_pb2.StreamUsageRequest, catalogue: FleetCatalogue, now: datetime
) -> UsageQuery:
    """What is asked of the present: from its start (at most a day back) to now's minute.

    Raises InvalidInput or an Unknown… error.
    """
    bucket = WINDOW
    if request.HasField("bucket"):
        bucket = length_from_wire("bucket", request.bucket)
    start = now
    if request.HasField("start"):
        start = instant_from_wire("start", request.start)
    if not now - FURTHEST_BACK <= start <= now:
        raise InvalidInput("start", "is in the future or more than a day ago")
    if bucket < WINDOW:
        raise InvalidInput("bucket", f"{bucket} is not a multiple of {WINDOW}")
    span = Span(floor_to(start, bucket), max(now, start))
    return _query(span, bucket, request.filter, request.with_latency, catalogue)


def filter_to_wire(query: UsageQuery) -> usage_pb2.UsageFilter:
    """The query's filters."""
    return usage_pb2.UsageFilter(
        origin_regions=sorted(query.origins),
        serving_regions=sorted(query.servings),
        models=sorted(query.models),
        tiers=[TIER.to_wire(tier) for tier in sorted(query.tiers)],
    )


def bucket_to_wire(bucket: UsageBucket) -> usage_pb2.UsageBucket:
    """The bucket."""
    return usage_pb2.UsageBucket(
        series=usage_series_to_wire(bucket.series),
        start=instant_to_wire(bucket.start),
        windows=bucket.windows,
        offered_requests=bucket.offered,
        admitted_requests=bucket.admitted,
        rejected_requests=bucket.rejected,
        retried_requests=bucket.retried,
        completed_requests=bucket.completed,
        input_tokens=bucket.input_tokens,
        output_tokens=bucket.output_tokens,
        windows_without_input=bucket.windows_without_input,
        windows_without_output=bucket.windows_without_output,
        ttft_sketch=bytes_of(bucket.ttft),
        itl_sketch=bytes_of(bucket.itl),
        e2e_sketch=bytes_of(bucket.e2e),
    )


def bucket_from_wire(path: str, bucket: usage_pb2.UsageBucket) -> UsageBucket:
    """The bucket. Raises InvalidInput."""
    has = bucket.HasField
    return UsageBucket(
        series=usage_series_from_wire(required(path, bucket, "series"), bucket.series),
        start=instant_from_wire(required(path, bucket, "start"), bucket.start),
        windows=bucket.windows,
        offered=bucket.offered_requests,
        admitted=bucket.admitted_requests,
        rejected=bucket.rejected_requests,
        retried=bucket.retried_requests,
        completed=bucket.completed_requests,
        input_tokens=bucket.input_tokens if has("input_tokens") else None,
        output_tokens=bucket.output_tokens if has("output_tokens") else None,
        windows_without_input=bucket.windows_without_input,
        windows_without_output=bucket.windows_without_output,
        ttft=LatencySketch.from_bytes(bucket.ttft_sketch) if has("ttft_sketch") else None,
        itl=LatencySketch.from_bytes(bucket.itl_sketch) if has("itl_sketch") else None,
        e2e=LatencySketch.from_bytes(bucket.e2e_sketch) if has("e2e_sketch") else None,
    )


def _query(
    span: Span,
    bucket: timedelta,
    chosen: usage_pb2.UsageFilter,
    with_latency: bool,
    catalogue: FleetCatalogue,
) -> UsageQuery:
    return UsageQuery(
        span=span,
        bucket=bucket,
        origins=known_regions("filter.origin_regions", chosen.origin_regions, catalogue),
        servings=known_regions("filter.serving_regions", chosen.serving_regions, catalogue),
        models=known_models("filter.models", chosen.models, catalogue),
        tiers=frozenset(TIER.from_wire("filter.tiers", tier) for tier in chosen.tiers),
        with_latency=with_latency,
    )
