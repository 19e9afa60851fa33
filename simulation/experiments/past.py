"""Turns the usage history of a control plane into arrivals that can be lived again.

Demand is what was offered less retries, by minute where minutes are kept and by quarter of an hour
before that. Tokens are the mean per request of the same stretch, so that requests that were shed
count with the length of those that were served. What nobody reported stays a hole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import EVERYWHERE, DemandKey, RegionName
from heliostat.model.usage import WINDOW, UsageBucket, UsageQuery
from heliostat.ports.history import UsageHistory
from simulation.arrivals import ArrivalRates, MinuteArrivals

Column = NDArray[np.float64]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was found: arrivals by minute, whose first part may be sums of quarters spread evenly."""

    arrivals: ArrivalRates
    minutes_from: datetime
    """Minutes are known from here on."""
    left_out: int
    """Requests for what the catalogue does not offer."""


def past_arrivals(usage: UsageHistory, catalogue: FleetCatalogue, whole: Span) -> Past:
    """The arrivals of a span of whole quarters of an hour.

    Raises InvalidInput when nothing that the catalogue offers was asked for in it.
    """
    chunks = list(_chunks(usage, whole))
    keys = sorted({key for chunk in chunks for key in chunk.sums})
    offered_here = [key for key in keys if _offers(catalogue, key)]
    if not offered_here:
        raise InvalidInput("history", f"holds no requests for this catalogue in {_told(whole)}")
    typical = {key: _typical(catalogue, chunks, key) for key in offered_here}
    left_out = sum(
        total.net
        for chunk in chunks
        for key, totals in chunk.sums.items()
        if key not in typical
        for total in totals.values()
    )
    fine = [chunk.span.start for chunk in chunks if chunk.step == WINDOW]
    return Past(
        arrivals=ArrivalRates(
            start=whole.start,
            by_demand={key: _joined(chunks, key, lengths) for key, lengths in typical.items()},
        ),
        minutes_from=min(fine, default=whole.end),
        left_out=left_out,
    )


@dataclass(slots=True)
class _Total:
    """One demand's sums in one step, over serving regions."""

    net: int = 0
    offered: int = 0
    completed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    measured: bool = True

    def add(self, bucket: UsageBucket) -> None:
        self.net += max(0, bucket.offered - bucket.retried)
        self.offered += bucket.offered
        self.completed += bucket.completed
        self.input_tokens += bucket.input_tokens or 0
        self.output_tokens += bucket.output_tokens or 0
        unmeasured = bucket.windows_without_input + bucket.windows_without_output
        self.measured &= not unmeasured


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """A stretch of the history at one resolution."""

    span: Span
    step: timedelta
    sums: dict[DemandKey, dict[int, _Total]]
    known: dict[RegionName, NDArray[np.bool_]] = field(default_factory=dict)


def _chunks(usage: UsageHistory, whole: Span) -> Iterator[_Chunk]:
    """A day at a time, newest first, by minute as far back as minutes are kept."""
    end, step = whole.end, WINDOW
    while end > whole.start:
        span = Span(max(whole.start, floor_to(end - timedelta(seconds=1), _DAY)), end)
        try:
            chunk = _chunk(usage, span, step)
        except InvalidInput:
            if step == BUCKET:
                raise
            step = BUCKET
            chunk = _chunk(usage, span, step)
        yield chunk
        end = span.start


def _chunk(usage: UsageHistory, span: Span, step: timedelta) -> _Chunk:
    steps = span.length // step
    sums: dict[DemandKey, dict[int, _Total]] = {}
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
        sums.setdefault(demand, {}).setdefault(place, _Total()).add(bucket)
        known[demand.origin][place] = True
    return _Chunk(span=span, step=step, sums=sums, known=dict(known))


def _offers(catalogue: FleetCatalogue, key: DemandKey) -> bool:
    try:
        catalogue.region(key.origin)
        return catalogue.model(key.model).tier(key.tier) is not None
    except HeliostatError:
        return False


def _typical(
    catalogue: FleetCatalogue, chunks: Sequence[_Chunk], key: DemandKey
) -> tuple[float, float]:
    """Mean prompt and output tokens where they were measured; else what the catalogue assumes."""
    spec = catalogue.model(key.model).tier(key.tier)
    assert spec is not None, "only what is offered is looked at"
    totals = [t for c in chunks for t in c.sums.get(key, {}).values() if t.measured]
    offered, completed = sum(t.offered for t in totals), sum(t.completed for t in totals)
    prompt, output = sum(t.input_tokens for t in totals), sum(t.output_tokens for t in totals)
    return (
        prompt / offered if offered else spec.assumed_input_tokens,
        output / completed if completed else spec.assumed_output_tokens,
    )


def _joined(
    chunks: Sequence[_Chunk], key: DemandKey, typical: tuple[float, float]
) -> MinuteArrivals:
    """The chunks in order of time, steps spread evenly over their minutes."""
    parts = [_columns(chunk, key, typical) for chunk in reversed(chunks)]
    offered, prompt, output = (np.concatenate(column) for column in zip(*parts, strict=True))
    return MinuteArrivals(offered=offered, input_tokens=prompt, output_tokens=output)


def _columns(
    chunk: _Chunk, key: DemandKey, typical: tuple[float, float]
) -> tuple[Column, Column, Column]:
    steps, minutes = chunk.span.length // chunk.step, chunk.step // WINDOW
    sums = np.zeros((3, steps))
    for place, total in chunk.sums.get(key, {}).items():
        whole = total.measured and total.offered and total.completed
        prompt = total.input_tokens / total.offered if whole else typical[0]
        output = total.output_tokens / total.completed if whole else typical[1]
        sums[:, place] = total.net, round(total.net * prompt), round(total.net * output)
    if key.origin in chunk.known:
        sums[:, ~chunk.known[key.origin]] = np.nan
    else:
        sums[:] = np.nan
    offered, prompts, outputs = (_spread(row, minutes) for row in sums)
    return offered, prompts, outputs


def _spread(sums: Column, minutes: int) -> Column:
    """Whole numbers per minute that add up to the sums."""
    marks = np.floor(sums[:, None] * np.arange(minutes + 1) / minutes + 1e-9)
    spread: Column = np.diff(marks, axis=1).ravel()
    return spread


def _told(span: Span) -> str:
    return f"{span.start:%Y-%m-%dT%H:%MZ} to {span.end:%Y-%m-%dT%H:%MZ}"
