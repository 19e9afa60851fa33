"""The rival's process: what it is told is never waited for longer than it lives."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from heliostat.errors import Unavailable
from heliostat.model.instants import Span
from services.demo.demand import demo_demand, remembered, whole
from services.demo.rival import Rival
from services.demo.rival_process import RivalRun
from services.demo.settings import DemoSettings
from storage.catalogue_file import read_catalogue

MUCH = 512 * 1024
"""More than a pipe or a socket holds unread on any system that we know."""


@pytest.fixture(scope="module")
def run() -> RivalRun:
    """An hour of the demo's day, on more demand than a pipe holds."""
    settings = DemoSettings(headless=True, hours=1, history_days=1)
    catalogue = read_catalogue(settings.catalogue)
    demand = demo_demand(settings, catalogue)
    arrivals = remembered(whole(demand), settings.day_start)
    size = sum(column.offered.nbytes for column in arrivals.by_demand.values())
    assert size > MUCH
    return RivalRun(settings=settings, catalogue=catalogue, arrivals=arrivals)


def killed() -> Rival:
    """A rival whose process is killed before it can listen."""
    before = set(psutil.Process().children(recursive=True))
    rival = Rival()
    for process in set(psutil.Process().children(recursive=True)) - before:
        if "spawn_main" in " ".join(process.cmdline()):
            process.kill()
    return rival


def test_a_rival_that_dies_before_it_has_heard_is_not_waited_for(run: RivalRun) -> None:
    rival = killed()
    rival.begin(run)
    assert rival.marks() == ()
    with pytest.raises(Unavailable, match="ended with -9"):
        rival.wait()
    rival.stop()


def test_a_rival_tells_a_mark_every_quarter_hour_and_what_broke_it(run: RivalRun) -> None:
    rival = Rival()
    rival.begin(run)
    quarters = Span(run.settings.day_start, run.settings.day_end).steps(timedelta(minutes=15))
    assert [mark.at for mark in rival.wait()] == [*quarters, run.settings.day_end]
    rival.stop()
    broken = Rival()
    nothing = replace(run.arrivals, by_demand={})
    broken.begin(replace(run, arrivals=nothing))
    with pytest.raises(Unavailable, match="failed"):
        broken.wait()
    broken.stop()


def test_a_rival_that_only_starts_does_not_hear_ctrl_c(run: RivalRun) -> None:
    before = set(psutil.Process().children(recursive=True))
    rival = Rival()
    started = [
        process
        for process in set(psutil.Process().children(recursive=True)) - before
        if "spawn_main" in " ".join(process.cmdline())
    ]
    for process in started:
        process.send_signal(signal.SIGINT)
    assert started
    rival.begin(replace(run, arrivals=replace(run.arrivals, by_demand={})))
    with pytest.raises(Unavailable, match="failed"):
        rival.wait()  # it lived to hear what it is to simulate
    rival.stop()
