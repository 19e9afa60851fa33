"""A minute of the fluid engine's workload: whole requests and tokens per demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from heliostat.model.names import DemandKey, RegionName
from simulation.arrivals import ArrivalRates


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one demand offers within one minute: whole requests and their tokens."""

    demand: DemandKey
    offered: int
    input_tokens: int
    output_tokens: int


def offered_in(arrivals: ArrivalRates, minute: datetime) -> tuple[Arrival, ...]:
    """What arrives in the minute from that instant; a hole offers nothing."""
    place = arrivals.minute_of(minute)
    return tuple(
        Arrival(
            demand=demand,
            offered=int(column.offered[place]),
            input_tokens=int(column.input_tokens[place]),
            output_tokens=int(column.output_tokens[place]),
        )
        for demand in arrivals.demands
        for column in [arrivals.by_demand[demand]]
        if column.offered[place] > 0
    )


def is_known(arrivals: ArrivalRates, origin: RegionName, minute: datetime) -> bool:
    """False when any demand of the origin has a hole in that minute."""
    place = arrivals.minute_of(minute)
    return not any(
        bool(np.isnan(column.offered[place]))
        for demand, column in arrivals.by_demand.items()
        if demand.origin == origin
    )
