"""When the leader does what, on real time: APScheduler calls the ticks, one worker runs them in turn."""

from __future__ import annotations

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from heliostat.clock import SystemClock
from services.control_plane.settings import CadenceSettings
from services.control_plane.ticks import Tick, Ticks

_AT_ONCE = ("settle", "forecast-and-plan", "reroute")
"""What a new leader does first."""


class Schedule:
    """Keeps the cadence; a tick that comes due twice while another runs is done once."""

    def __init__(self, ticks: Ticks, cadence: CadenceSettings) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        plans = {
            "forecast-and-plan": (cadence.refresh, (Tick.REFRESH, Tick.REPLAN, Tick.REROUTE)),
            "reroute": (cadence.reroute, (Tick.REROUTE,)),
            "settle": (cadence.settle, (Tick.SETTLE,)),
            "score": (cadence.score, (Tick.SCORE,)),
            "housekeep": (cadence.housekeep, (Tick.HOUSEKEEP,)),
        }
        for name, (every, acts) in plans.items():
            self._add(name, IntervalTrigger(seconds=every.total_seconds()), ticks, acts)
        nightly = CronTrigger(hour=cadence.selection_hour_utc, timezone="UTC")
        self._add("select", nightly, ticks, (Tick.SELECT,))

    def start(self) -> None:
        """From now on."""
        self._scheduler.start()

    def hurry(self) -> None:
        """Do the urgent ones now: somebody has just become leader."""
        now = SystemClock().now()
        for name in _AT_ONCE:
            self._scheduler.modify_job(name, next_run_time=now)

    def stop(self) -> None:
        """Call no more ticks; one that runs goes on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, name: str, trigger: object, ticks: Ticks, acts: tuple[Tick, ...]) -> None:
        self._scheduler.add_job(ticks.attempt, trigger, args=acts, id=name, name=name)
