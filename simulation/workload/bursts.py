"""The burst test: at regular times all demand is multiplied for some minutes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates, MinuteArrivals


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstTest:
    """From `after` the begin on, the first `length` of every `every` holds `factor` times its requests.

    The defaults are SageServe's: from hour 25 on each hour's first minute × 8 (POMACS 9(3) 61,
    burst test). Their own clock starts with the run.
    """

    factor: int = 8
    after: timedelta = timedelta(hours=25)
    every: timedelta = timedelta(hours=1)
    length: timedelta = WINDOW

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= 1000:
            raise InvalidInput("burst.factor", f"{self.factor} is not within [1, 1000]")
        if self.after < timedelta(0) or not timedelta(0) < self.length <= self.every:
            raise InvalidInput("burst", "needs after ≥ 0 and 0 < length ≤ every")
        if any(part % WINDOW for part in (self.after, self.every, self.length)):
            raise InvalidInput("burst", "after, every and length are whole minutes")


def with_bursts(arrivals: ArrivalRates, test: BurstTest, begins: datetime) -> ArrivalRates:
    """The same arrivals with the test's minutes multiplied, requests and tokens alike; holes stay."""
    first = arrivals.minute_of(begins + test.after)
    since = np.arange(arrivals.minutes) - first
    struck = (since >= 0) & (since % (test.every // WINDOW) < test.length // WINDOW)
    factor = np.where(struck, float(test.factor), 1.0)
    by_demand = {
        demand: MinuteArrivals(
            offered=column.offered * factor,
            input_tokens=column.input_tokens * factor,
            output_tokens=column.output_tokens * factor,
        )
        for demand, column in arrivals.by_demand.items()
    }
    return replace(arrivals, by_demand=by_demand)
