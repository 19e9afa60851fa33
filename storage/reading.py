"""Reads demand, token mixes and watermarks off a store: folded buckets where they stand, minutes else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries, TokenMix
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import DemandKey, RegionName
from storage.coverage import Coverage
from storage.demand import demand_series, whole_steps
from storage.fold import BUCKET_SECONDS, MINUTE_SECONDS, Table, combine, fold

LIVE_FOR = timedelta(minutes=10)
"""A source that was not heard of for so long no longer holds the watermark back."""


class UsageSource(Protocol):
    """What a store must know for demand to be read off it."""

    def keys(self) -> Mapping[int, DemandKey]:
        """Every demand key that ever had traffic and its aggregate, by number."""
        ...

    def coverage(self, span: Span, step: timedelta) -> Coverage:
        """Which minutes each origin reported."""
        ...

    def folded(self, span: Span) -> Table:
        """The folded 15-minute buckets inside the span that are up to date, in any order."""
        ...

    def open_buckets(self, span: Span) -> tuple[int, ...]:
        """Starts of the buckets that touch the span and hold windows newer than their fold,
        ascending."""
        ...

    def minutes(self, span: Span) -> Table:
        """MINUTE rows of the windows that start inside the span."""
        ...

    def pruned_before(self) -> int:
        """Windows before this instant (epoch seconds) are gone, only their fold remains."""
        ...


class DemandReader:
    """Reads rates and mixes off a `UsageSource`."""

    def __init__(self, source: UsageSource) -> None:
        self._source = source

    def demand(self, span: Span, step: timedelta) -> tuple[DemandSeries, ...]:
        """As `UsageHistory.demand` promises. Raises InvalidInput for steps that are not whole
        minutes, and for steps finer than 15 minutes where minutes are gone."""
        _check_grid(span, step)
        span = whole_steps(span, step)
        keys = self._source.keys()
        length, start = int(step.total_seconds()), to_epoch(span.start)
        above = aggregates(keys)
        if length % BUCKET_SECONDS or start % BUCKET_SECONDS:
            self._check_minutes_kept(span)
            folded = fold(self._source.minutes(span), above, length, start)
        else:
            folded = self._quarters(span, above)
            if length > BUCKET_SECONDS:
                folded = combine(folded, length, start)
        return demand_series(folded, keys, self._source.coverage(span, step), span, step)

    def token_mixes(self, span: Span) -> tuple[TokenMix, ...]:
        """As `UsageHistory.token_mixes` promises; parts of a bucket whose minutes are gone are left
        out."""
        keys = self._source.keys()
        sums = _summed(self._mixed(span, aggregates(keys)), max(keys, default=0) + 1)
        return tuple(
            TokenMix(
                origin=key.origin,
                model=key.model,
                tier=key.tier,
                input_tokens=int(sums["input_tokens"][number]) / offered,
                output_tokens=int(sums["output_tokens"][number]) / completed,
                requests=completed,
            )
            for number, key in sorted(keys.items(), key=lambda item: item[1])
            if (offered := int(sums["input_offered"][number]))
            and (completed := int(sums["output_completed"][number]))
        )

    def _quarters(self, span: Span, above: Mapping[int, int]) -> Table:
        """All 15-minute buckets of a span that starts and ends on them, each once."""
        fresh = [
            fold(self._source.minutes(run), above, BUCKET_SECONDS)
            for run in runs(self._source.open_buckets(span))
        ]
        folded = self._source.folded(span)
        return np.concatenate([folded, *fresh]) if fresh else folded

    def _mixed(self, span: Span, above: Mapping[int, int]) -> Table:
        middle = _whole_buckets(span)
        edges = [Span(span.start, middle.start), Span(middle.end, span.end)]
        parts = [
            fold(self._source.minutes(edge), above, BUCKET_SECONDS)
            for edge in edges
            if edge.start < edge.end and to_epoch(edge.start) >= self._source.pruned_before()
        ]
        return np.concatenate([self._quarters(middle, above), *parts])

    def _check_minutes_kept(self, span: Span) -> None:
        if to_epoch(span.start) < self._source.pruned_before():
            raise InvalidInput(
                "step",
                "is not on the 15-minute grid, and minutes that old are rolled up",
                remedy="use a multiple of 15 minutes",
            )


_MIXED = ("input_offered", "input_tokens", "output_completed", "output_tokens")


def _summed(folded: Table, numbers: int) -> Mapping[str, NDArray[np.int64]]:
    """What mixes are made of, summed over all rows of each key's number."""
    sums = {name: np.zeros(numbers, np.int64) for name in _MIXED}
    for name, column in sums.items():
        np.add.at(column, folded["key"], folded[name])
    return sums


def aggregates(keys: Mapping[int, DemandKey]) -> Mapping[int, int]:
    """Each key's number → its aggregate's number."""
    numbers = {key: number for number, key in keys.items()}
    return {number: numbers[key.everywhere] for number, key in keys.items()}


def watermarks(
    reported_until: Iterable[tuple[RegionName, int]], now: datetime
) -> Mapping[RegionName, datetime]:
    """Per origin the earliest end (epoch seconds) among its sources that are still live."""
    alive_since = to_epoch(now - LIVE_FOR)
    earliest: dict[RegionName, int] = {}
    for origin, until in reported_until:
        if until >= alive_since:
            earliest[origin] = min(until, earliest.get(origin, until))
    return {origin: from_epoch(until) for origin, until in sorted(earliest.items())}


def bucket_starts(span: Span) -> range:
    """Starts of all 15-minute buckets that touch the span."""
    return range(
        to_epoch(span.start) // BUCKET_SECONDS * BUCKET_SECONDS, to_epoch(span.end), BUCKET_SECONDS
    )


def minute_starts(span: Span) -> range:
    """Starts of all minutes that begin inside the span."""
    return range(
        -(-to_epoch(span.start) // MINUTE_SECONDS) * MINUTE_SECONDS,
        to_epoch(span.end),
        MINUTE_SECONDS,
    )


def _check_grid(span: Span, step: timedelta) -> None:
    if step < timedelta(minutes=1) or step % timedelta(minutes=1):
        raise InvalidInput("step", f"{step} is not a multiple of a minute")
    if to_epoch(span.start) % MINUTE_SECONDS:
        raise InvalidInput("span.start", f"{span.start.isoformat()} is not a whole minute")


def _whole_buckets(span: Span) -> Span:
    """The part of a span that is made of whole 15-minute buckets; empty at its end if there is none."""
    start = -(-to_epoch(span.start) // BUCKET_SECONDS) * BUCKET_SECONDS
    end = to_epoch(span.end) // BUCKET_SECONDS * BUCKET_SECONDS
    if end <= start:
        return Span(span.end, span.end)
    return Span(from_epoch(start), from_epoch(end))


def runs(starts: Sequence[int], most: int = 96) -> Iterator[Span]:
    """Ascending neighbouring buckets as one span each, of `most` buckets at most."""
    run: list[int] = []
    for start in starts:
        if run and (start != run[-1] + BUCKET_SECONDS or len(run) == most):
            yield Span(from_epoch(run[0]), from_epoch(run[-1] + BUCKET_SECONDS))
            run = []
        run.append(start)
    if run:
        yield Span(from_epoch(run[0]), from_epoch(run[-1] + BUCKET_SECONDS))
