"""Demand: token rates per series on a regular grid, with the peaks inside each bucket.

Demand counts what was *offered* less retries, so that shed load cannot talk capacity down. A
missing bucket is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import EVERYWHERE, ModelName, RegionName, SeriesKey, Tier

BUCKET = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSeries:
    """Mean and 1-minute peak token rates (tokens per second) of consecutive buckets from `start`."""

    key: SeriesKey
    start: datetime
    step: timedelta
    tokens_per_second: tuple[float | None, ...]
    peak_tokens_per_second: tuple[float | None, ...]

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
