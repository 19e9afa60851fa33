"""The leader's cadence goes on whatever becomes of the wall clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import cast

import apscheduler.schedulers.base
import apscheduler.triggers.interval
import pytest

import heliostat.clock
from services.control_plane.schedule import Schedule
from services.control_plane.settings import CadenceSettings
from services.control_plane.ticks import Tick, Ticks
from tests.support.waiting import until

SOON = timedelta(milliseconds=50)
AHEAD = timedelta(days=365)


@dataclass
class Counted:
    """Ticks that are counted and do nothing."""

    calls: Counter[Tick] = field(default_factory=Counter)
    order: list[Tick] = field(default_factory=list)
    slow: Tick | None = None
    """Which one takes until `over` is set."""
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, *ticks: Tick) -> None:
        with self._lock:
            self.calls.update(ticks)
            self.order += ticks
        if self.slow in ticks:
            self.over.wait()


class Wall(datetime):
    """The wall clock as APScheduler and we read it, ahead by `ahead`."""

    ahead = AHEAD

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # datetimes, no Walls
        return datetime.now(tz) + cls.ahead  # noqa: TID251 - it stands for the wall clock


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    monkeypatch.setattr(Wall, "ahead", AHEAD)
    for reader in (apscheduler.schedulers.base, apscheduler.triggers.interval, heliostat.clock):
        monkeypatch.setattr(reader, "datetime", Wall)
    return Wall


@pytest.fixture
def ticks() -> Counted:
    return Counted()


@pytest.fixture
def schedule(wall: type[Wall], ticks: Counted) -> Iterator[Schedule]:
    often = CadenceSettings(reroute=SOON, score=SOON)
    schedule = Schedule(cast(Ticks, ticks), often, look_every=SOON)
    schedule.start()
    yield schedule
    ticks.over.set()
    schedule.stop()


async def test_a_clock_that_is_set_back_stops_no_tick(
    schedule: Schedule, wall: type[Wall], ticks: Counted
) -> None:
    await until(lambda: ticks.calls[Tick.SCORE] > 0)
    wall.ahead = timedelta(0)
    ticks.calls.clear()
    await until(lambda: ticks.calls[Tick.SCORE] > 3)


async def test_what_is_urgent_is_done_at_once_when_the_clock_was_set_back(
    schedule: Schedule, wall: type[Wall], ticks: Counted
) -> None:
    await until(lambda: ticks.calls[Tick.SCORE] > 0)
    assert ticks.calls[Tick.REPLAN] == ticks.calls[Tick.SETTLE] == 0
    wall.ahead = timedelta(0)
    await until(lambda: ticks.calls[Tick.REPLAN] == ticks.calls[Tick.SETTLE] == 1)
    assert ticks.calls[Tick.HOUSEKEEP] == ticks.calls[Tick.SELECT] == 0


async def test_routes_are_made_while_forecasts_are_selected_or_scored(
    schedule: Schedule, ticks: Counted
) -> None:
    ticks.slow = Tick.SCORE
    ticks.calls.clear()
    await until(lambda: ticks.calls[Tick.SCORE] > 0)
    ticks.calls.clear()
    await until(lambda: ticks.calls[Tick.REROUTE] > 3)
    assert not ticks.calls[Tick.SCORE]


async def test_routes_are_made_during_a_refresh_and_the_plan_follows_it(
    schedule: Schedule, ticks: Counted
) -> None:
    ticks.slow = Tick.REFRESH
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REFRESH] > 0)
    routed = ticks.calls[Tick.REROUTE]
    await until(lambda: ticks.calls[Tick.REROUTE] > routed + 3)
    assert not ticks.calls[Tick.REPLAN]
    ticks.over.set()
    await until(lambda: ticks.calls[Tick.REPLAN] == 1)
    assert ticks.calls[Tick.REFRESH] == 1
    assert ticks.order[ticks.order.index(Tick.REPLAN) + 1] is Tick.REROUTE


async def test_a_refresh_that_ends_during_a_plan_is_planned_for_after_it(
    schedule: Schedule, ticks: Counted
) -> None:
    ticks.slow = Tick.REPLAN
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REPLAN] == 1)
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REFRESH] == 2)
    assert ticks.calls[Tick.REPLAN] == 1
    ticks.over.set()
    await until(lambda: ticks.calls[Tick.REPLAN] > 1)


async def test_a_refresh_that_is_asked_for_during_another_follows_it(
    schedule: Schedule, ticks: Counted
) -> None:
    """The one that runs was begun for another leadership, or for another time."""
    ticks.slow = Tick.REFRESH
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REFRESH] == 1)
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REROUTE] > 3)
    assert not ticks.calls[Tick.REPLAN]
    ticks.over.set()
    await until(lambda: ticks.calls[Tick.REFRESH] == 2)


async def test_a_refresh_does_not_stand_behind_a_selection_or_scores(
    schedule: Schedule, ticks: Counted
) -> None:
    """It asks for the lane itself, and gives up in time for the plan."""
    ticks.slow = Tick.SCORE
    await until(lambda: ticks.calls[Tick.SCORE] > 0)
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.REPLAN] == 1)


async def test_scores_come_half_way_between_two_refreshes() -> None:
    ticks = Counted()
    cadence = CadenceSettings(refresh=timedelta(seconds=1), score=timedelta(days=365))
    schedule = Schedule(cast(Ticks, ticks), cadence)
    schedule.start()
    schedule.hurry()
    await until(lambda: ticks.calls[Tick.SCORE] > 0)
    schedule.stop()
    assert ticks.order.index(Tick.REFRESH) < ticks.order.index(Tick.SCORE)
