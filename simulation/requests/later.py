"""A source that begins later: what comes before is its history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, RegionName
from simulation.arrivals import ArrivalRates
from simulation.requests.binning import binned, joined_rates
from simulation.requests.columns import RequestColumns
from simulation.requests.source import RequestSource


class BegunLater:
    """A `RequestSource`: the part of another from `begins` on, up to `ends` where that is given.

    `past` replaces what the other source knows of the time before its own start. Raises InvalidInput
    when the part does not lie in the source's span.
    """

    def __init__(
        self,
        source: RequestSource,
        *,
        begins: datetime,
        ends: datetime | None = None,
        past: ArrivalRates | None = None,
    ) -> None:
        self._source = source
        self._span = Span(begins, ends or source.span.end)
        self._shift = (begins - source.start).total_seconds()
        self._past = past
        if begins < source.span.start or self._span.end > source.span.end or begins.second:
            raise InvalidInput("begins", f"{self._span} is not whole minutes of {source.span}")

    @property
    def start(self) -> datetime:
        return self._span.start

    @property
    def span(self) -> Span:
        return self._span

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        return self._source.demands

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        if begin < self._span.start or end > self._span.end:
            raise InvalidInput("requests", f"{Span(begin, end)} is not within {self._span}")
        found = self._source.between(begin, end)
        if not self._shift:
            return found
        return replace(found, arrival_seconds=found.arrival_seconds - self._shift)

    def history(self) -> ArrivalRates:
        past = self._source.history() if self._past is None else self._past
        if not self._shift:
            return past
        earlier = binned(self._source, Span(self._source.start, self.start))
        return joined_rates(past, earlier) if past.minutes else earlier

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return self._source.known(origin, minute)
