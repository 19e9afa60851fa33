"""When the leader does what, on real time: APScheduler calls the ticks, in worker threads."""

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
from services.log_events import say

_log = logging.getLogger(__name__)

_REFRESHING = "refreshing"
"""The worker of refreshes alone. On the forecasting lane's a refresh, and the plan after it, would wait until
a selection has ended; on the deciding lane's routes would stand still during a refresh."""
_AT_ONCE = ("settle", "refresh", "reroute")
"""What a new leader does first; a plan follows the refresh."""
_LOOK_EVERY = timedelta(seconds=10)
"""How often the wall clock is looked at: by how much later the schedule hears that it was set back."""
_AND_ONE_AFTER = 2
"""Instances of a job that is done again when it comes due while it runs: the one that runs, and one that
waits for the same worker, however often it came due."""


class Schedule:
    """Keeps the cadence; a tick that comes due twice while another runs is done once.

    One that comes due while it runs itself is left to its next turn. Only a refresh and the plan after it are
    done again: their next turn is far, and what runs may have begun under an earlier leadership, at another
    time, or on older forecasts.

    APScheduler counts from one instant of the wall clock to the next: set back by an hour, it would call
    nothing for an hour. So a thread looks at that clock, and begins the cadence anew when it was set back.
    """

    def __init__(
        self, ticks: Ticks, cadence: CadenceSettings, *, look_every: timedelta = _LOOK_EVERY
    ) -> None:
        self._scheduler = BackgroundScheduler(
            executors={name: ThreadPoolExecutor(1) for name in (*Lane, _REFRESHING)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._ticks = ticks
        self._score_after = min(cadence.score, cadence.refresh / 2)
        self._triggers: dict[str, Callable[[], object]] = {}
        for tick, every in (
            (Tick.REROUTE, cadence.reroute),
            (Tick.SETTLE, cadence.settle),
            (Tick.HOUSEKEEP, cadence.housekeep),
        ):
            self._add(tick, Lane.DECIDING, partial(_every, every))
        self._add(Tick.REFRESH, _REFRESHING, partial(_every, cadence.refresh), self._refresh)
        self._add(Tick.SCORE, Lane.FORECASTING, partial(_every, cadence.score))
        nightly = partial(_nightly, cadence.selection_hour_utc)
        self._add(Tick.SELECT, Lane.FORECASTING, nightly)
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
        """Do the urgent ones now: somebody has just become leader, or it is another time than we thought.

        Scores come half way between two refreshes, which would have to wait for them.
        """
        now = SystemClock().now()
        for name in _AT_ONCE:
            self._scheduler.modify_job(name, next_run_time=now)
        self._scheduler.modify_job(Tick.SCORE, next_run_time=now + self._score_after)

    def stop(self) -> None:
        """Call no more ticks; one that runs goes on."""
        self._stopped.set()
        if self._watch.is_alive():
            self._watch.join()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(
        self,
        tick: Tick,
        worker: str,
        trigger: Callable[[], object],
        act: Callable[[], None] | None = None,
    ) -> None:
        self._triggers[tick] = trigger
        act = act or partial(self._ticks.attempt, tick)
        most = _AND_ONE_AFTER if tick is Tick.REFRESH else 1
        self._scheduler.add_job(
            act, trigger(), id=tick, name=tick, executor=worker, max_instances=most
        )

    def _refresh(self) -> None:
        """Refresh, then let the deciding lane plan and reroute, whatever became of the refresh."""
        self._ticks.attempt(Tick.REFRESH)
        self._scheduler.add_job(
            self._ticks.attempt,
            args=(Tick.REPLAN, Tick.REROUTE),
            id="plan",
            name="plan",
            executor=Lane.DECIDING,
            replace_existing=True,
            max_instances=_AND_ONE_AFTER,
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
