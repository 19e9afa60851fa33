"""Gaps in telemetry: the unknown minutes of each origin, as arrays and as spans."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates

Known = Mapping[RegionName, NDArray[np.bool_]]
"""Per origin which minutes are known; an origin that is not named has no hole."""


def known_minutes(rates: ArrivalRates) -> Known:
    """A minute of an origin is known when every demand of it is."""
    known: dict[RegionName, NDArray[np.bool_]] = {}
    for demand, column in rates.by_demand.items():
        seen = ~np.isnan(column.offered)
        known[demand.origin] = known.get(demand.origin, np.ones_like(seen)) & seen
    return known


def hole_spans(known: NDArray[np.bool_], start: datetime) -> tuple[Span, ...]:
    """The unknown minutes as spans, `known[0]` being the minute from `start`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], known, [True])).astype(np.int8)))
    return tuple(
        Span(start + WINDOW * int(first), start + WINDOW * int(last))
        for first, last in edges.reshape(-1, 2)
    )
