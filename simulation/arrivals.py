"""What arrives in a simulated world: per demand and minute, offered requests and their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import DemandKey
from heliostat.model.usage import WINDOW
from simulation.columns import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MinuteArrivals:
    """One demand's arrivals, minute by minute, as float64 arrays of equal length.

    Whole numbers, not below 0; NaN (in all three alike) = the source has a hole there: nothing is
    known to arrive, and gateways report nothing. `output_tokens` are what would be generated if
    every offered request completed.
    """

    offered: Floats
    input_tokens: Floats
    output_tokens: Floats

    def __post_init__(self) -> None:
        columns = (self.offered, self.input_tokens, self.output_tokens)
        if len({column.shape for column in columns}) != 1 or self.offered.ndim != 1:
            raise InvalidInput("arrivals", "needs three one-dimensional columns of one length")
        holes = np.isnan(self.offered)
        for name, column in zip(("offered", "input_tokens", "output_tokens"), columns, strict=True):
            known = column[~holes]
            if not np.array_equal(np.isnan(column), holes):
                raise InvalidInput(name, "has gaps in other places than `offered`")
            if not np.all((known >= 0) & np.isfinite(known) & (known == np.rint(known))):
                raise InvalidInput(name, "must contain non-negative whole numbers")

    def __len__(self) -> int:
        return len(self.offered)

    def part(self, first: int, last: int) -> MinuteArrivals:
        """Minutes `first` up to but not including `last`."""
        return MinuteArrivals(
            offered=self.offered[first:last],
            input_tokens=self.input_tokens[first:last],
            output_tokens=self.output_tokens[first:last],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrivalRates:
    """Everybody's arrivals on one grid of minutes from `start`; made by traces and synthesisers.

    Raises InvalidInput when columns differ in length or `start` is not a whole minute.
    """

    start: datetime
    by_demand: Mapping[DemandKey, MinuteArrivals]

    def __post_init__(self) -> None:
        check_instant("arrivals.start", self.start)
        if self.start.second:
            raise InvalidInput("arrivals.start", f"{self.start.isoformat()} is not a whole minute")
        if len({len(arrivals) for arrivals in self.by_demand.values()}) > 1:
            raise InvalidInput("arrivals", "demands differ in length")

    @property
    def minutes(self) -> int:
        """How many minutes it covers."""
        return next((len(arrivals) for arrivals in self.by_demand.values()), 0)

    @property
    def span(self) -> Span:
        """From the first minute's start to the last minute's end."""
        return Span(self.start, self.start + WINDOW * self.minutes)

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        """Whose arrivals there are, sorted."""
        return tuple(sorted(self.by_demand))

    def minute_of(self, instant: datetime) -> int:
        """Which minute holds that instant; negative or past the end outside the span."""
        return (instant - self.start) // WINDOW

    def within(self, span: Span) -> ArrivalRates:
        """The part inside a span of whole minutes. Raises InvalidInput when it reaches outside."""
        first, last = self.minute_of(span.start), self.minute_of(span.end)
        if first < 0 or last > self.minutes or span.start.second or span.end.second:
            raise InvalidInput("span", f"{span} is not whole minutes of {self.span}")
        parts = {key: arrivals.part(first, last) for key, arrivals in self.by_demand.items()}
        return replace(self, start=span.start, by_demand=parts)

    def shifted(self, by: timedelta) -> ArrivalRates:
        """The same arrivals at another time. Raises InvalidInput unless `by` is whole minutes."""
        return replace(self, start=self.start + by)

    def only(self, demands: Iterable[DemandKey]) -> ArrivalRates:
        """The arrivals of these demands; ones that it lacks are left out."""
        kept = {key: self.by_demand[key] for key in demands if key in self.by_demand}
        return replace(self, by_demand=kept)
