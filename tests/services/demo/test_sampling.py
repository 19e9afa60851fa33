"""The demo's sample of single requests: drawn by seed, as often as its kind arrives, waits and all."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import numpy as np
from numpy.random import SeedSequence

from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, ModelName, PoolKey, RegionName, Tier
from heliostat.model.usage import UsageWindow
from services.agent.drivers.simulated import simulated_readings
from services.demo.sampling import Moments, SampledRequest, Sampler, SimulatedWaits
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.engine import NoLoad, PoolGauge
from simulation.region import SimulatedRegion
from tests.builders import MINUTE, NOON, a_catalogue, a_pool, a_series, a_window

EAST = RegionName("east")
FAST, BATCH = Tier.INTERACTIVE_FAST, Tier.BATCH


def arrivals(offered: dict[Tier, float]) -> ArrivalRates:
    """Two minutes of requests of a thousand tokens that are answered with a hundred."""
    return ArrivalRates(
        start=NOON,
        by_demand={
            DemandKey(origin=EAST, model=ModelName("alpha"), tier=tier): MinuteArrivals(
                offered=np.array([count, count]),
                input_tokens=np.array([count, count]) * 1000,
                output_tokens=np.array([count, count]) * 100,
            )
            for tier, count in offered.items()
        },
    )


def drawn(seed: int, count: int, day: ArrivalRates) -> list[SampledRequest]:
    sampler = Sampler(EAST, day, np.random.default_rng(seed))
    return list(sampler.draw(NOON + MINUTE, count))


def test_tiers_are_drawn_as_often_as_they_come_and_tokens_keep_their_mean() -> None:
    sample = drawn(1, 4000, arrivals({FAST: 30.0, BATCH: 10.0}))
    counts = Counter(request.tier for request in sample)
    assert 0.71 < counts[FAST] / 4000 < 0.79
    assert 950 < np.mean([request.input_tokens for request in sample]) < 1050
    assert 95 < np.mean([request.output_tokens for request in sample]) < 105


def test_the_same_seed_draws_the_same_requests() -> None:
    day = arrivals({FAST: 30.0, BATCH: 10.0})
    assert drawn(7, 20, day) == drawn(7, 20, day) != drawn(8, 20, day)


def test_where_nothing_arrives_or_is_known_nothing_is_drawn() -> None:
    assert drawn(1, 5, arrivals({FAST: 0.0})) == []
    assert drawn(1, 5, arrivals({FAST: float("nan")})) == []


class OneLook:
    """A meter that has these windows to tell."""

    def __init__(self, *windows: UsageWindow) -> None:
        self.windows = windows

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        told, self.windows = self.windows, ()
        return told


def test_waits_are_those_of_the_newest_windows_served_here() -> None:
    here = a_window(NOON, series=a_series(tier=FAST), ttft=LatencySketch.of([0.5]))
    there = a_window(
        NOON, series=a_series(tier=BATCH, serving="west"), ttft=LatencySketch.of([9.0])
    )
    waits = SimulatedWaits(OneLook(here, there), EAST)
    assert waits.closed_windows(NOON) == (here, there)
    model, chance = here.series.model, np.random.default_rng(1)
    seconds = waits.ttft_seconds(model, FAST, chance)
    assert seconds is not None
    assert 0.45 < seconds < 0.55
    assert waits.ttft_seconds(model, BATCH, chance) is None
    waits.closed_windows(NOON)
    assert waits.ttft_seconds(model, FAST, chance) is None


def test_a_moment_is_the_demos_time_and_seconds_into_its_step() -> None:
    moments = Moments(lambda: NOON)
    moments.into_step = 2.5
    assert moments() == NOON.timestamp() + 2.5


class Loaded(NoLoad):
    """A pool whose replicas run eight requests together."""

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        return PoolGauge(running_requests=8, waiting_requests=2, utilisation=0.5, kv_occupancy=0.25)


def test_each_ready_replica_shows_its_share_of_the_pools_gauge() -> None:
    region = SimulatedRegion(
        region=EAST, catalogue=a_catalogue(), seeds=SeedSequence(1), load=Loaded()
    )
    region.stand(a_pool(), 2, NOON)
    region.buy(a_pool(), "c-1", NOON)
    readings = simulated_readings(region)
    assert len(readings) == 2
    for reading in readings.values():
        assert (reading.running_requests, reading.waiting_requests) == (4, 1)
        assert reading.kv_occupancy == 0.25


def test_a_region_without_load_measures_nothing() -> None:
    region = SimulatedRegion(region=EAST, catalogue=a_catalogue(), seeds=SeedSequence(1))
    region.stand(a_pool(), 2, NOON)
    assert simulated_readings(region) == {}
