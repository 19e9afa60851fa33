"""When the leader does what, on real time: APScheduler calls the ticks, and a worker per lane runs them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from heliostat.clock import SystemClock
from services.control_plane.lanes import Lane
from services.control_plane.settings import CadenceSettings
from services.control_plane.ticks import Tick, Ticks
from services.wording import say

_log = logging.getLogger(__name__)

_AT_ONCE = ("settle", "forecast-and-plan", "reroute")
"""What a new leader does first."""
_LOOK_EVERY = timedelta(seconds=10)
"""How often the wall clock is looked at: by how much later the schedule hears that it was set back."""


class Schedule:
    """Keeps the cadence; a tick that comes due twice while another runs is done once.

    APScheduler counts from one instant of the wall clock to the next: set back by an hour, it would call
    nothing for an hour. So a thread looks at that clock, and begins the cadence anew when it was set back.
    """

    def __init__(
        self, ticks: Ticks, cadence: CadenceSettings, *, look_every: timedelta = _LOOK_EVERY
    ) -> None:
        self._scheduler = BackgroundScheduler(
            executors={lane: ThreadPoolExecutor(1) for lane in Lane},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        deciding = {
            "forecast-and-plan": (cadence.refresh, (Tick.REFRESH, Tick.REPLAN, Tick.REROUTE)),
            "reroute": (cadence.reroute, (Tick.REROUTE,)),
            "settle": (cadence.settle, (Tick.SETTLE,)),
            "housekeep": (cadence.housekeep, (Tick.HOUSEKEEP,)),
        }
        self._ticks = ticks
        self._triggers: dict[str, Callable[[], object]] = {}
        for name, (every, acts) in deciding.items():
            self._add(name, Lane.DECIDING, partial(_every, every), acts)
        nightly = partial(_nightly, cadence.selection_hour_utc)
        self._add("score", Lane.FORECASTING, partial(_every, cadence.score), (Tick.SCORE,))
        self._add("select", Lane.FORECASTING, nightly, (Tick.SELECT,))
        self._look_every = look_every
        self._clock = SystemClock(set_back=self._begin_anew)
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._watch_clock, name="schedule", daemon=True)

    def start(self) -> None:
        """From now on."""
        self._clock.now()
        self._scheduler.start()
        self._watch.start()

    def hurry(self) -> None:
        """Do the urgent ones now: somebody has just become leader, or it is another time than we thought."""
        now = SystemClock().now()
        for name in _AT_ONCE:
            self._scheduler.modify_job(name, next_run_time=now)

    def stop(self) -> None:
        """Call no more ticks; one that runs goes on."""
        self._stopped.set()
        if self._watch.is_alive():
            self._watch.join()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(
        self, name: str, lane: Lane, trigger: Callable[[], object], acts: tuple[Tick, ...]
    ) -> None:
        self._triggers[name] = trigger
        self._scheduler.add_job(
            self._ticks.attempt, trigger(), args=acts, id=name, name=name, executor=lane
        )

    def _watch_clock(self) -> None:
        while not self._stopped.wait(self._look_every.total_seconds()):
            self._clock.now()

    def _begin_anew(self, before: datetime, now: datetime) -> None:
        """Triggers that begin now: those that were there go on from instants that lie in the future."""
        for name, trigger in self._triggers.items():
            self._scheduler.reschedule_job(name, trigger=trigger())
        self.hurry()
        say(_log, "schedule_begun_anew", before=before.isoformat(), now=now.isoformat())


def _every(length: timedelta) -> IntervalTrigger:
    return IntervalTrigger(seconds=length.total_seconds(), timezone="UTC")


def _nightly(hour_utc: int) -> CronTrigger:
    return CronTrigger(hour=hour_utc, timezone="UTC")
