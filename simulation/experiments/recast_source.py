"""Requests under the names of a recast fleet: the same requests, demands renamed and sorted anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, RegionName
from simulation.arrivals import ArrivalRates
from simulation.policies.recast import Recast
from simulation.requests.columns import RequestColumns
from simulation.requests.source import RequestSource


class RecastSource:
    """Implements `RequestSource` on another one."""

    def __init__(self, source: RequestSource, recast: Recast) -> None:
        self._source, self._recast = source, recast
        renamed = [recast.demand(key) for key in source.demands]
        self._demands = tuple(sorted(renamed))
        self._places = np.array([self._demands.index(key) for key in renamed], np.int16)

    @property
    def start(self) -> datetime:
        return self._source.start

    @property
    def span(self) -> Span:
        return self._source.span

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        return self._demands

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        requests = self._source.between(begin, end)
        return replace(requests, demand=self._places[requests.demand])

    def history(self) -> ArrivalRates:
        return self._recast.arrivals(self._source.history())

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return self._source.known(origin, minute)
