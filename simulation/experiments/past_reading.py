"""Reads a usage history a day at a time: what was offered per demand and step, and which steps are known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import EVERYWHERE, DemandKey, RegionName
from heliostat.model.usage import WINDOW, UsageBucket, UsageQuery
from heliostat.ports.history import UsageHistory

_DAY = timedelta(days=1)


@dataclass(slots=True)
class Total:
    """One demand's sums in one step, over serving regions."""

    net: int = 0
    offered: int = 0
    completed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    measured: bool = True

    def add(self, bucket: UsageBucket) -> None:
        """Take in what one region served of it."""
        self.net += max(0, bucket.offered - bucket.retried)
        self.offered += bucket.offered
        self.completed += bucket.completed
        self.input_tokens += bucket.input_tokens or 0
        self.output_tokens += bucket.output_tokens or 0
        unmeasured = bucket.windows_without_input + bucket.windows_without_output
        self.measured &= not unmeasured


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A stretch of the history at one resolution."""

    span: Span
    step: timedelta
    sums: dict[DemandKey, dict[int, Total]]
    known: dict[RegionName, NDArray[np.bool_]]
    """Which steps an origin reported."""


def chunks_of(usage: UsageHistory, whole: Span) -> Iterator[Chunk]:
    """At most a day at a time, newest first: by minute as far back as minutes are kept, by quarter of an
    hour before that."""
    end = whole.end
    while end > whole.start:
        chunk = _newest(usage, Span(whole.start, end))
        yield chunk
        end = chunk.span.start


def _newest(usage: UsageHistory, span: Span) -> Chunk:
    """The end of a span: what it has of its last day, at one resolution."""
    kept = usage.minutes_kept_from()
    day = max(span.start, floor_to(span.end - timedelta(seconds=1), _DAY))
    if kept >= span.end:
        return _chunk(usage, Span(day, span.end), BUCKET)
    try:
        return _chunk(usage, Span(max(day, kept), span.end), WINDOW)
    except InvalidInput:
        if usage.minutes_kept_from() == kept:
            raise
        return _newest(usage, span)  # retention took minutes while they were read


def _chunk(usage: UsageHistory, span: Span, step: timedelta) -> Chunk:
    steps = span.length // step
    sums: dict[DemandKey, dict[int, Total]] = {}
    known: dict[RegionName, NDArray[np.bool_]] = defaultdict(lambda: np.zeros(steps, np.bool_))
    for series in usage.demand(span, step):
        demand = series.key.demand
        if demand.origin != EVERYWHERE:
            sums.setdefault(demand, {})
            known[demand.origin] |= [rate is not None for rate in series.tokens_per_second]
    for bucket in usage.query(UsageQuery(span=span, bucket=step, with_latency=False)):
        demand = DemandKey(
            origin=bucket.series.origin, model=bucket.series.model, tier=bucket.series.tier
        )
        place = (bucket.start - span.start) // step
        sums.setdefault(demand, {}).setdefault(place, Total()).add(bucket)
        known[demand.origin][place] = True
    return Chunk(span=span, step=step, sums=sums, known=dict(known))
