"""Small workloads and runs of the event engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat.catalogue import FleetCatalogue
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, PoolKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.arrivals import ArrivalRates
from simulation.engine import Change, ReplicaChange, TierTally
from simulation.event.engine import EventEngine
from simulation.local_policy import LocalPolicy
from simulation.requests.columns import RequestColumns
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool

FAST = a_demand(tier=Tier.INTERACTIVE_FAST)
NORMAL = a_demand()
BATCH = a_demand(tier=Tier.BATCH)
DEMANDS = (FAST, NORMAL, BATCH)
Ints = NDArray[np.int64]


class Listed:
    """A RequestSource of requests in memory."""

    def __init__(
        self, columns: RequestColumns, minutes: int, demands: Sequence[DemandKey] = DEMANDS
    ) -> None:
        self.columns, self.demands = columns, tuple(demands)
        self.start = NOON
        self.span = Span(NOON, NOON + MINUTE * minutes)

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        first, last = ((at - NOON).total_seconds() for at in (begin, end))
        return self.columns.between(first, last)

    def history(self) -> ArrivalRates:
        return ArrivalRates(start=NOON, by_demand={})

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return True


def columns(
    arrival: Sequence[float] | NDArray[np.float64],
    prompt: Sequence[int] | Ints | int,
    output: Sequence[int] | Ints | int,
    demand: Sequence[int] | Ints | int = 1,
) -> RequestColumns:
    """Requests as columns; single numbers hold for all, demands are places in DEMANDS."""
    count = len(arrival)
    return RequestColumns(
        arrival_seconds=np.asarray(arrival, np.float64),
        demand=np.broadcast_to(np.asarray(demand, np.int16), count).copy(),
        input_tokens=np.broadcast_to(np.asarray(prompt, np.int32), count).copy(),
        output_tokens=np.broadcast_to(np.asarray(output, np.int32), count).copy(),
    )


def poisson(
    rng: np.random.Generator,
    *,
    per_second: float,
    seconds: float,
    prompt: float = 1000,
    output: float = 100,
    mix: Sequence[float] = (0.0, 1.0, 0.0),
    spread: tuple[float, float] = (0.7, 1.2),
) -> RequestColumns:
    """A Poisson stream; by default lengths are as spread (squared coefficients of variation) as
    published ones."""
    count = int(rng.poisson(per_second * seconds))
    return columns(
        np.sort(rng.uniform(0, seconds, count)),
        _lengths(rng, prompt, spread[0], count),
        _lengths(rng, output, spread[1], count),
        rng.choice(3, count, p=mix),
    )


def ready(replicas: int, at: datetime = NOON, pool: PoolKey | None = None) -> list[ReplicaChange]:
    """So many replicas of a pool, named vm-0, vm-1 …"""
    return [change(f"vm-{n}", Change.READY, at, pool) for n in range(replicas)]


def change(
    name: str, what: Change, at: datetime = NOON, pool: PoolKey | None = None
) -> ReplicaChange:
    return ReplicaChange(at=at, replica_id=name, pool=pool or a_pool(), what=what)


class Run:
    """An engine that was served to the end of its workload, and everything that it told."""

    def __init__(
        self,
        source: Listed,
        changes: Sequence[ReplicaChange],
        policy: LocalPolicy | None = None,
        *,
        catalogue: FleetCatalogue | None = None,
        tables: Mapping[RegionName, RoutingTable] | None = None,
        minutes: int | None = None,
        **options: Any,
    ) -> None:
        self.engine = EventEngine(catalogue or a_catalogue(), source, policy, 1, **options)
        self.columns: RequestColumns = source.columns
        self.now = source.start
        self.windows: dict[tuple[UsageSeries, datetime], UsageWindow] = {}
        self.changes, self.tables = sorted(changes, key=lambda one: one.at), tables or {}
        end = source.span.end if minutes is None else source.start + MINUTE * minutes
        while self.now < end:
            self.go_on()

    def go_on(self) -> None:
        """Serve one step."""
        span = Span(self.now, self.now + self.engine.step)
        due = [one for one in self.changes if one.at <= span.end]
        self.changes = [one for one in self.changes if one.at > span.end]
        for window in self.engine.serve(span, changes=due, tables=self.tables):
            before = self.windows.get((window.series, window.start))
            assert window.revision == (before.revision + 1 if before else 1)
            self.windows[window.series, window.start] = window
        self.now = span.end

    def total(self, column: str) -> int:
        return sum(getattr(window, column) for window in self.windows.values())

    def tally(self) -> TierTally:
        """All demands together."""
        each = tuple(self.engine.tallies().values())
        names = [name for name in TierTally.__dataclass_fields__ if name != "reachable"]
        sums = {name: sum(getattr(tally, name) for tally in each) for name in names}
        return replace(TierTally(), **sums)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def _lengths(rng: np.random.Generator, mean: float, scv: float, count: int) -> Ints:
    sigma = np.sqrt(np.log1p(scv))
    drawn = np.exp(rng.normal(np.log(mean) - sigma**2 / 2, sigma, count))
    return np.maximum(1, np.rint(drawn)).astype(np.int64)
