"""A Poisson stream of requests in memory, the same for all placement rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, RegionName
from simulation.arrivals import ArrivalRates
from simulation.fewest.setting import SPELL, Setting
from simulation.requests.columns import RequestColumns

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(minutes=4)
"""What is served after the last arrival: longer than any request takes on a fleet that keeps promises."""


class PoissonRequests:
    """Implements `RequestSource`: one demand, `per_second` requests for `SPELL`, then none."""

    def __init__(self, setting: Setting, per_second: float, seed: int) -> None:
        """Raises InvalidInput for a rate that is not positive."""
        if not per_second > 0:
            raise InvalidInput("per_second", f"{per_second} is not positive")
        rng = np.random.default_rng(seed)
        seconds = SPELL.total_seconds()
        count = int(rng.poisson(per_second * seconds))
        self._columns = RequestColumns(
            arrival_seconds=np.sort(rng.uniform(0.0, seconds, count)),
            demand=np.zeros(count, np.int16),
            input_tokens=_whole(setting.lengths.prompt.draw(rng, count)),
            output_tokens=_whole(setting.lengths.output.draw(rng, count)),
        )
        self._demand = setting.demand
        self.count = count

    @property
    def start(self) -> datetime:
        return START

    @property
    def span(self) -> Span:
        return Span(START, START + SPELL + PATIENCE)

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        return (self._demand,)

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        first, last = ((at - START).total_seconds() for at in (begin, end))
        return self._columns.between(first, last)

    def history(self) -> ArrivalRates:
        return ArrivalRates(start=START, by_demand={})

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return True


def _whole(
    lengths: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.maximum(1, np.rint(lengths)).astype(np.int32)
