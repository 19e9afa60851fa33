"""Ticks of one lane wait for each other, those of two lanes do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

import pytest

from heliostat.loops.forecasts import ForecastLoop
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion
from services.control_plane.lanes import Lane, Lanes
from services.control_plane.metrics import Metrics
from services.control_plane.ticks import Tick, Ticks
from tests.heliostat.fakes import FakeDeciders
from tests.support.planes import a_world
from tests.support.waiting import until


class SlowSelection(FakeDeciders):
    """Its selection takes until `over` is set."""

    def __init__(self) -> None:
        super().__init__({})
        self.selecting, self.over = threading.Event(), threading.Event()

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        self.selecting.set()
        self.over.wait()
        return ()


async def test_plans_and_routes_are_made_during_a_selection() -> None:
    slow = SlowSelection()
    async with a_world(deciders=slow) as world:
        selection = asyncio.create_task(world.tick(Tick.SELECT))
        await until(slow.selecting.is_set)
        await world.tick(Tick.REPLAN, Tick.REROUTE, Tick.SETTLE)
        assert not selection.done()
        slow.over.set()
        await selection
    assert world.stores.plans.latest_plan() is not None


class HeldUp:
    """Forecasts whose selection takes until `over` is set."""

    def __init__(self) -> None:
        self.selecting, self.over = threading.Event(), threading.Event()

    def select(self, now: datetime, *, epoch: int) -> tuple[Champion, ...]:
        self.selecting.set()
        self.over.wait()
        return ()


async def test_a_refresh_whose_lane_stays_busy_is_skipped_and_counted_and_the_plan_is_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held, metrics = HeldUp(), Metrics()
    async with a_world() as world:
        ticks = Ticks(
            world.plane.loop,
            forecasts=cast(ForecastLoop, held),
            stores=world.stores,
            leader=world.plane.leader,
            metrics=metrics,
            clock=world.clock,
            regions=(),
            patience={Tick.REFRESH: timedelta(0)},
        )
        selection = asyncio.create_task(asyncio.to_thread(ticks.attempt, Tick.SELECT))
        await until(held.selecting.is_set)
        await asyncio.to_thread(ticks.attempt, Tick.REFRESH, Tick.REPLAN)
        held.over.set()
        await selection
        assert world.stores.plans.latest_plan() is not None
    counted = {
        outcome: metrics.registry.get_sample_value(
            "heliostat_tick_duration_seconds_count", {"tick": "refresh", "outcome": outcome}
        )
        for outcome in ("done", "failed", "skipped")
    }
    assert counted == {"done": 0, "failed": 0, "skipped": 1}
    assert "refresh_skipped" in caplog.text


def test_a_busy_lane_is_waited_for_no_longer_than_asked() -> None:
    lanes = Lanes()
    with lanes.entered(Lane.FORECASTING) as first, lanes.entered(Lane.FORECASTING, 0.0) as second:
        assert first
        assert not second
    with lanes.entered(Lane.FORECASTING, 0.0) as after:
        assert after


def test_all_has_ended_when_both_lanes_are_free() -> None:
    lanes = Lanes()
    for lane in Lane:
        with lanes.entered(lane):
            assert not lanes.ended(0.0)
    assert lanes.ended(0.0)
