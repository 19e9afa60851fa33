"""Demand: token rates per series on a regular grid, with the peaks inside each bucket.

Demand counts what was *offered* less retries, so that shed load cannot talk capacity down. A
missing bucket is None, never 0.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import EVERYWHERE, ModelName, RegionName, SeriesKey, Tier

BUCKET = timedelta(minutes=15)


class Rates(Sequence[float | None]):
    """Rates of consecutive buckets, equal to the tuple of them; None = missing.

    Held as one column of doubles, in which NaN is what is missing: a forecast reads a month of every
    series each quarter of an hour, and takes the column as it is.
    """

    __slots__ = ("column",)

    def __init__(self, column: array[float]) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    def __iter__(self) -> Iterator[float | None]:
        return (None if math.isnan(rate) else rate for rate in self.column)

    @overload
    def __getitem__(self, place: int) -> float | None: ...

    @overload
    def __getitem__(self, place: slice) -> Rates: ...

    def __getitem__(self, place: int | slice) -> float | Rates | None:
        if isinstance(place, slice):
            return Rates(self.column[place])
        rate = self.column[place]
        return None if math.isnan(rate) else rate

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rates | tuple):
            return NotImplemented
        return tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSeries:
    """Mean and 1-minute peak token rates (tokens per second) of consecutive buckets from `start`, as
    tuples or `Rates`."""

    key: SeriesKey
    start: datetime
    step: timedelta
    tokens_per_second: Sequence[float | None]
    peak_tokens_per_second: Sequence[float | None]

    def __post_init__(self) -> None:
        check_instant("demand.start", self.start)
        if len(self.tokens_per_second) != len(self.peak_tokens_per_second):
            raise InvalidInput("demand", "means and peaks differ in length")

    @property
    def span(self) -> Span:
        """From the first bucket's start to the last bucket's end."""
        return Span(self.start, self.start + self.step * len(self.tokens_per_second))

    @property
    def observed(self) -> int:
        """How many buckets hold a measurement."""
        return sum(rate is not None for rate in self.tokens_per_second)

    def bucket_of(self, instant: datetime, step: timedelta) -> int | None:
        """Which bucket begins at that instant (it may lie outside); None off its grid of that step."""
        if self.step != step or (instant - self.start) % step:
            return None
        return (instant - self.start) // step


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMix:
    """Mean tokens per request of one model and tier, as measured or as the catalogue assumes: of the
    requests that arrive in one region, or of all (EVERYWHERE)."""

    model: ModelName
    tier: Tier
    input_tokens: float
    output_tokens: float
    requests: int = 0
    """How many requests were measured; 0 = the catalogue's assumption."""
    origin: RegionName = EVERYWHERE
