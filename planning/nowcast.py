"""Measured demand of the last minutes as a lower bound for the forecast.

A forecast of quarter hours follows a tenant that switches on a bucket or two late, and knows nothing of
requests that grow shorter while their tokens stay. Where more requests were measured than the plan would
hold in its first step, they are taken to go on through the near steps. What is measured is the median
minute of the last few (`PlanningProblem.measured`), so a burst of a minute or two buys nothing. Demand
that nobody measured stays as it was forecast: missing data is never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from heliostat.ports.deciding import DemandRate
from planning.arrays import Floats
from planning.grid import Grid
from planning.wanted import Wanted, WantedDemand


def at_least_measured(
    wanted: WantedDemand, measured: Iterable[DemandRate], grid: Grid
) -> WantedDemand:
    """The same demand, in the near steps at least as measured where that is above the first step's."""
    rates = {rate.demand: rate.requests_per_second for rate in measured if rate.measured}
    regional = (_at_least(row, rates.get(row.key, 0.0), grid.near) for row in wanted.regional)
    return replace(wanted, regional=tuple(regional))


def _at_least(row: Wanted, rate: float, near: int) -> Wanted:
    if rate <= row.pooled[0]:
        return row

    def raised(rates: Floats) -> Floats:
        return np.concatenate([np.maximum(rates[:near], rate), rates[near:]])

    return replace(
        row,
        own=raised(row.own),
        pooled=raised(row.pooled),
        work=raised(row.work),
        measured=rate,
    )
