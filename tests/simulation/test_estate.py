"""The estate: clouds and engine move on together, step by step."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.fleet import BatchBacklog
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, PoolKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.engine import Change, NoLoad, ReplicaChange, TierLatencies, TierTally
from simulation.estate import Estate
from tests.builders import MINUTE, NOON, a_catalogue, a_pool

EAST = RegionName("east")
HALF = MINUTE / 2
SERIES = UsageSeries(origin=EAST, serving=EAST, model=a_pool().model, tier=Tier.INTERACTIVE_NORMAL)


class Listener(NoLoad):
    """An engine of half minutes that keeps what it is told, and knows nothing of minute two."""

    step = HALF
    span = Span(NOON, NOON + 10 * MINUTE)

    def __init__(self) -> None:
        self.served: list[Span] = []
        self.changes: list[ReplicaChange] = []

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return minute != NOON + 2 * MINUTE

    def serve(
        self,
        span: Span,
        *,
        changes: Sequence[ReplicaChange],
        tables: Mapping[RegionName, RoutingTable],
    ) -> tuple[UsageWindow, ...]:
        self.served.append(span)
        self.changes += changes
        if span.end.second:
            return ()
        return (UsageWindow(series=SERIES, start=span.end - MINUTE, offered=1),)

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        return {}

    def offered(self) -> int:
        return 0

    def busy_seconds(self, pool: PoolKey) -> float:
        return 0.0

    def latencies(self, tier: Tier) -> TierLatencies | None:
        return None

    def batch_backlog(self, region: RegionName) -> tuple[BatchBacklog, ...]:
        return (BatchBacklog(region=region, model=a_pool().model),)


def an_estate() -> tuple[Estate, Listener]:
    engine = Listener()
    return Estate(catalogue=a_catalogue(), engine=engine, seed=1), engine


def test_a_minute_is_served_in_the_engines_steps_and_metered_once() -> None:
    estate, engine = an_estate()
    estate.serve_minute(NOON, {})
    assert engine.served == [Span(NOON, NOON + HALF), Span(NOON + HALF, NOON + MINUTE)]
    (window,) = estate.meters[EAST].closed_windows(NOON + MINUTE)
    assert (window.start, window.offered) == (NOON, 1)


def test_an_engine_hears_of_changes_until_the_end_of_its_step_in_order_of_time() -> None:
    estate, engine = an_estate()
    estate.stand({a_pool(): 1, a_pool(region="west"): 1}, NOON)
    for region in ("west", "east"):
        cloud = estate.regions[RegionName(region)]
        cloud.release(cloud.replicas()[0], "c1", NOON + timedelta(seconds=10))
    estate.serve(NOON, {})
    assert [change.at for change in engine.changes] == sorted(c.at for c in engine.changes)
    assert [change.what for change in engine.changes].count(Change.GONE) == 2


def test_a_minute_that_the_workload_does_not_know_is_not_reported() -> None:
    estate, _ = an_estate()
    for minute in range(4):
        estate.serve_minute(NOON + minute * MINUTE, {})
    west = estate.meters[RegionName("west")].closed_windows(NOON + 4 * MINUTE)
    assert [(window.start - NOON) // MINUTE for window in west] == [0, 1, 3]


def test_time_beyond_the_workload_is_refused() -> None:
    estate, _ = an_estate()
    with pytest.raises(InvalidInput, match="no data for"):
        estate.serve(NOON + 10 * MINUTE, {})
