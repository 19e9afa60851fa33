"""The port of request sources: arrivals and sizes of requests, the same on every call."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, RegionName
from simulation.arrivals import ArrivalRates
from simulation.requests.columns import RequestColumns


class RequestSource(Protocol):
    """Requests of one experiment; memory is flat in the length of the trace.

    A whole minute of one origin is either known or a hole, in which nothing is known to arrive and
    gateways report nothing.
    """

    @property
    def start(self) -> datetime:
        """The instant from which `arrival_seconds` count; a whole minute."""
        ...

    @property
    def span(self) -> Span:
        """What may be asked for; begins at `start`."""
        ...

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        """Whose requests there are, sorted; `RequestColumns.demand` are places in it."""
        ...

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        """The requests that arrive within `[begin, end)`, sorted by arrival.

        May be repeated, in any order and with any ends: a request is always the same and belongs to
        exactly one of two adjoining stretches. Asking onward in time is the fast way. Raises
        InvalidInput when the stretch reaches outside `span`, InvalidTrace when a file that is read
        holds a bad row.
        """
        ...

    def history(self) -> ArrivalRates:
        """What arrived before `start`, by minute, holes NaN; no minutes when nothing is known."""
        ...

    def known(self, origin: RegionName, minute: datetime) -> bool:
        """False when the minute from `minute` lies in a hole of that origin's telemetry."""
        ...
