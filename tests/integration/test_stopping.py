"""SIGTERM inside a tick: what was decided is committed or it is not, and the process ends in time."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heliostat.clock import SteppedClock, SystemClock
from heliostat.errors import Fenced, Unavailable, WorkersUnavailable
from services.control_plane.parts import Parts
from services.control_plane.plane import ControlPlane
from services.control_plane.ticks import Tick
from storage.memory import memory_stores
from storage.notify import ChangeFeed
from storage.opening import open_stores
from tests.builders import NOON, a_catalogue
from tests.heliostat.fakes import FakeDeciders, fake_deciders
from tests.support.planes import plane_settings

ROOT = Path(__file__).parents[2]
SHORT = timedelta(milliseconds=200)
LONG = timedelta(seconds=60)


class Thinking(FakeDeciders):
    """Plans, and forecasts, as soon as it may; says when it was asked."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.fails: Exception | None = None

    def plan(self, problem: Any) -> Any:
        self._think()
        return super().plan(problem)

    def forecast(self, *arguments: Any, **more: Any) -> Any:
        self._think()
        return super().forecast(*arguments, **more)

    def _think(self) -> None:
        self.asked.set()
        self.may_answer.wait()
        if self.fails is not None:
            raise self.fails

    def give_up(self) -> None:
        """As a forecaster whose workers are killed."""
        self.fails = WorkersUnavailable("the workers were closed")
        self.may_answer.set()


@asynccontextmanager
async def in_the_middle_of(
    tick: Tick, grace: timedelta, *, gives_up: bool = False
) -> AsyncIterator[tuple[ControlPlane, Thinking, asyncio.Task[None]]]:
    """A control plane whose tick thinks until it may answer."""
    fake, feed = Thinking(), ChangeFeed()
    parts = Parts(
        stores=memory_stores(SystemClock(), feed),
        feed=feed,
        catalogue=a_catalogue(),
        deciders=fake_deciders(fake),
        clock=SteppedClock(NOON),
        give_up=fake.give_up if gives_up else lambda: None,
    )
    plane = ControlPlane(parts, plane_settings(shutdown_grace=grace))
    await plane.start()
    ticking = asyncio.create_task(plane.tick(tick, NOON))
    await asyncio.to_thread(fake.asked.wait)
    try:
        yield plane, fake, ticking
    finally:
        fake.may_answer.set()
        await asyncio.gather(ticking, return_exceptions=True)
        await plane.stop()


async def test_a_tick_that_ends_within_the_grace_is_committed() -> None:
    async with in_the_middle_of(Tick.REPLAN, LONG) as (plane, fake, ticking):
        stopping = asyncio.create_task(plane.stop())
        await asyncio.sleep(0)
        fake.may_answer.set()
        await ticking
        await stopping
        assert plane.stores.plans.latest_plan() is not None
        assert plane.stores.leadership.current() is None


async def test_a_tick_that_outlasts_the_grace_writes_nothing_however_late() -> None:
    async with in_the_middle_of(Tick.REPLAN, SHORT) as (plane, fake, ticking):
        await plane.stop()
        assert not ticking.done()
        assert plane.stores.leadership.current() is None
        fake.may_answer.set()
        with pytest.raises(Fenced):
            await ticking
        assert plane.stores.plans.latest_plan() is None


async def test_work_in_processes_is_given_up_and_nothing_of_it_is_stored() -> None:
    async with in_the_middle_of(Tick.REFRESH, SHORT, gives_up=True) as (plane, _, ticking):
        await plane.stop()
        with pytest.raises(WorkersUnavailable):
            await ticking
        assert plane.stores.leadership.current() is None


async def test_no_tick_begins_while_the_control_plane_goes_away() -> None:
    async with in_the_middle_of(Tick.REPLAN, LONG) as (plane, fake, ticking):
        second = asyncio.create_task(plane.tick(Tick.REROUTE, NOON))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(plane.stop())
        await asyncio.sleep(0)
        fake.may_answer.set()
        await asyncio.gather(ticking, stopping)
        with pytest.raises(Unavailable):
            await second
        assert plane.stores.routing.latest_tables() == ()


STUCK_PLANE = """
import sys, threading
from dataclasses import replace
from services.control_plane.bootstrap import parts_of, run
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import load_settings
from services.log_events import log_json

class Stuck:
    def forecast(self, *arguments, **more):
        print("forecasting", flush=True)
        threading.Event().wait()

settings = load_settings(None, listen="127.0.0.1:0", metrics_listen="", page_listen="",
                         database=sys.argv[1], catalogue="deploy/catalogue.yaml", workers=1,
                         shutdown_grace=0.5)
log_json("info")
parts = parts_of(settings)
stuck = replace(parts, deciders=replace(parts.deciders, forecaster=Stuck()))
run(lambda: ControlPlane(stuck, settings))
"""
STUCK_AGENT = """
import asyncio, sys, threading
from heliostat.clock import SystemClock
from services.agent.bootstrap import build_agent
from services.agent.hands import Hands
from services.agent.main import _live
from services.agent.settings import load_agent_settings
from services.log_events import log_json
from storage.catalogue_file import read_catalogue

class Stuck:
    def observe(self, now):
        print("observing", flush=True)
        threading.Event().wait()

settings = load_agent_settings(region="eastus", data_dir=sys.argv[1], shutdown_grace=0.5,
                               control_planes=("127.0.0.1:1",), local_listen="", metrics_listen="")
log_json("info")
agent = build_agent(settings, read_catalogue(settings.catalogue), now=SystemClock().now(),
                    hands_of=lambda _: Hands(driver=Stuck()))
asyncio.run(_live(agent, settings, SystemClock()))
"""


def told_to_end(program: str, argument: str) -> list[str]:
    """Run it until it says that it works, send SIGTERM, and give the events of its log."""
    with subprocess.Popen(
        [sys.executable, "-c", program, argument],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=120)
        assert process.returncode == 0, log
    return [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]


def test_a_control_plane_in_an_endless_refresh_ends_with_0_and_gives_the_lease_back(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/heliostat.db"
    events = told_to_end(STUCK_PLANE, url)
    assert events[-4:] == [
        "tick_given_up",
        "tick_left_running",
        "lease_released",
        "control_plane_stopped",
    ]
    opened = open_stores(url)
    assert opened.stores.leadership.current() is None
    opened.close()


def test_an_agent_in_an_endless_tick_ends_with_0_and_closes_its_journal(tmp_path: Path) -> None:
    events = told_to_end(STUCK_AGENT, str(tmp_path))
    assert events[-2:] == ["agent_stopped", "tick_left_running"]
