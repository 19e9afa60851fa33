"""The loops' ticks by name: in the leader only, one at a time per lane, each with its log and figures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from prometheus_client.core import Metric

from heliostat.clock import monotonic_seconds
from heliostat.errors import NotLeader, Unavailable
from heliostat.loops.control import ControlLoop
from heliostat.loops.forecasts import ForecastLoop
from heliostat.model.command import OPEN_STATES
from heliostat.model.forecast import Forecast
from heliostat.model.names import RegionName
from heliostat.ports.clock import Clock
from heliostat.ports.decisions import Committed
from heliostat.ports.stores import Stores
from services.control_plane.ages import Ages
from services.control_plane.lanes import Lane, Lanes
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics, age_figure
from services.log_events import report, say

_log = logging.getLogger(__name__)

_MANY = 100_000
_UNHEARD = "no region has reported within a day; if agents are running, check this machine's clock"
_LATER = "it is tried again when it is due next; decisions go on with the forecasts that there are"


class Tick(StrEnum):
    """What the control and forecast loops can be asked to do."""

    REFRESH = "refresh"
    """Forecast every series anew."""
    SELECT = "select"
    """Find every series' champion."""
    REPLAN = "replan"
    """Plan and order."""
    REROUTE = "reroute"
    """Make routing tables and publish what changed."""
    SETTLE = "settle"
    """Expire overdue commands."""
    SCORE = "score"
    """Compare forecasts with what came."""
    HOUSEKEEP = "housekeep"
    """Roll up and drop what is old."""


_LANES = dict.fromkeys((Tick.REFRESH, Tick.SELECT, Tick.SCORE), Lane.FORECASTING) | dict.fromkeys(
    (Tick.REPLAN, Tick.REROUTE, Tick.SETTLE, Tick.HOUSEKEEP), Lane.DECIDING
)


PATIENCE: Mapping[Tick, timedelta] = MappingProxyType({Tick.REFRESH: timedelta(minutes=1)})
"""A refresh is followed by a plan: that waits until scores are ready, but not until a selection has ended."""


class Outcome(StrEnum):
    """How ticks end, as the figures call it."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Its lane was busy for longer than its patience."""


class Ticks:
    """Runs ticks; the caller passes the instant, so a coordinator can step time itself."""

    def __init__(
        self,
        loop: ControlLoop,
        *,
        forecasts: ForecastLoop,
        stores: Stores,
        leader: Leader,
        metrics: Metrics,
        clock: Clock,
        regions: Iterable[RegionName],
        patience: Mapping[Tick, timedelta] = PATIENCE,
    ) -> None:
        """`regions` are all of the catalogue; `patience` says how long a tick waits for its lane before it is
        skipped, the others wait as long as it takes."""
        self._loop = loop
        self._regions = tuple(regions)
        self._forecasts = forecasts
        self._stores = stores
        self._leader = leader
        self._metrics = metrics
        self._clock = clock
        self._lanes = Lanes()
        self._patience = patience
        self._closed = False
        self._planned_at: datetime | None = None
        self._counted = Ages()
        self._forecast_at: datetime | None = None
        metrics.watch(self._ages)
        for tick in Tick:
            metrics.expect_ticks(tick, (Outcome.DONE, Outcome.FAILED))
        for tick in patience:
            metrics.expect_ticks(tick, (Outcome.SKIPPED,))
        self._acts: dict[Tick, Callable[[datetime, int], dict[str, Any]]] = {
            Tick.REFRESH: self._refresh,
            Tick.SELECT: self._select,
            Tick.REPLAN: self._replan,
            Tick.REROUTE: self._reroute,
            Tick.SETTLE: self._settle,
            Tick.SCORE: self._score,
            Tick.HOUSEKEEP: self._housekeep,
        }

    def run(self, tick: Tick, now: datetime) -> None:
        """Do it, in the calling thread, after the tick that is running in its lane.

        Raises NotLeader, Fenced, Unavailable after `close`, and whatever stopped the tick; nothing of it is
        stored then.
        """
        with self._lanes.entered(_LANES[tick]):
            self._do(tick, now)

    def attempt(self, *ticks: Tick) -> None:
        """Do them in turn at the clock's now; a failure is logged with its reason and the next goes on, as
        after a tick that is skipped because its lane is busy.

        Followers do nothing.
        """
        for tick in ticks:
            if self._over():
                return
            asked = monotonic_seconds()
            patience = self._patience.get(tick)
            at_most_seconds = None if patience is None else patience.total_seconds()
            with self._lanes.entered(_LANES[tick], at_most_seconds) as free:
                if not free:
                    self._skip(tick, asked)
                    continue
                if self._over():  # while we waited
                    return
                try:
                    self._do(tick, self._clock.now())
                except NotLeader:
                    return
                except Exception as error:  # noqa: BLE001 - one failed tick must not stop the others
                    report(_log, f"{tick}_failed", error)

    def _do(self, tick: Tick, now: datetime) -> None:
        """In its lane. Raises as `run` does."""
        if self._closed:
            raise Unavailable("the control plane is shutting down")
        epoch = self._leader.epoch()
        started = monotonic_seconds()
        try:
            fields = self._acts[tick](now, epoch)
        except Exception:  # whatever it was goes on; the figures count failed ticks too
            self._timed(tick, Outcome.FAILED, started)
            raise
        seconds = self._timed(tick, Outcome.DONE, started)
        say(_log, f"{tick}_done", now=now.isoformat(), milliseconds=round(seconds * 1000), **fields)

    def _over(self) -> bool:
        return self._closed or not self._leader.leading

    def _skip(self, tick: Tick, asked: float) -> None:
        waited = self._timed(tick, Outcome.SKIPPED, asked)
        say(
            _log,
            f"{tick}_skipped",
            level=logging.WARNING,
            waited_seconds=round(waited),
            reason=f"another tick of the {_LANES[tick]} lane is running",
            remedy=_LATER,
        )

    def close(self) -> None:
        """No tick begins from now on; one that runs goes on."""
        self._closed = True

    def ended(self, at_most_seconds: float) -> bool:
        """Wait so long for the running ticks; False when one still runs then. After `close`."""
        return self._lanes.ended(at_most_seconds)

    def _timed(self, tick: Tick, outcome: Outcome, started: float) -> float:
        seconds = monotonic_seconds() - started
        self._metrics.ticks.labels(tick, outcome).observe(seconds)
        return seconds

    # --- what each does, and what is said of it ------------------------------------------------

    def _refresh(self, now: datetime, epoch: int) -> dict[str, Any]:
        if self._forecast_at is None:  # perhaps the leader's before: their age counts until ours
            self._forecast_at = _newest(self._stores.forecasts.latest(now))
        forecasts = self._forecasts.refresh(now, epoch=epoch)
        self._metrics.show_forecasts(forecasts)
        self._forecast_at = _newest(forecasts) or self._forecast_at
        return {"forecasts": len(forecasts), "degraded": sum(bool(f.degraded) for f in forecasts)}

    def _select(self, now: datetime, epoch: int) -> dict[str, Any]:
        champions = self._forecasts.select(now, epoch=epoch)
        methods = sorted({champion.method for champion in champions})
        return {"champions": len(champions), "methods": methods}

    def _replan(self, now: datetime, epoch: int) -> dict[str, Any]:
        newest = self._stores.plans.latest_plan()
        if newest is not None:  # perhaps the leader's before: its age counts until we have made one
            self._planned_at = newest.created_at
        committed = self._loop.replan(now, epoch=epoch)
        self._metrics.show_lead_times(self._loop.situation.lead_times(now))
        return self._plan_said(committed, now)

    def _plan_said(self, committed: Committed, now: datetime) -> dict[str, Any]:
        plan = committed.plan
        if plan is None:
            return {}
        self._planned_at = now
        self._metrics.show_plan(plan, committed.commands)
        return {
            "plan_version": plan.version,
            "outcome": plan.status,
            "policy": plan.policy,
            "commands": len(committed.commands),
            "shortages": len(plan.shortages),
            "objective_dollars": plan.solve.objective if plan.solve else None,
            "gap_ratio": plan.solve.gap if plan.solve else None,
            "notes": plan.notes,
        }

    def _reroute(self, now: datetime, epoch: int) -> dict[str, Any]:
        tables = self._loop.reroute(now, epoch=epoch)
        self._metrics.show_routes(tables)
        self._metrics.show_fleet(self._loop.situation.fleet(now))
        return {"tables": len(tables), "versions": sorted({table.version for table in tables})}

    def _settle(self, now: datetime, epoch: int) -> dict[str, Any]:
        ended = self._loop.settle(now, epoch=epoch)
        for command in ended:
            self._metrics.decisions.labels("expire", type(command.order).__name__).inc()
        self._metrics.operating.show_commands(
            self._stores.outbox.commands(states=OPEN_STATES, limit=_MANY), self._regions, now
        )
        return {"expired": [command.command_id for command in ended]}

    def _score(self, now: datetime, epoch: int) -> dict[str, Any]:
        scores = self._forecasts.score(now, epoch=epoch)
        self._metrics.show_scores(scores)
        return {"scores": len(scores)}

    def _housekeep(self, now: datetime, _: int) -> dict[str, Any]:
        removed = self._loop.housekeep(now)
        if removed is None:
            say(_log, "nothing_dropped", level=logging.WARNING, reason=_UNHEARD)
        return {"rows_removed": removed or 0}

    def _ages(self) -> Iterable[Metric]:
        now = self._clock.now()
        return [
            *age_figure("plan", self._counted_from("plan", self._planned_at, now), now),
            *age_figure("forecast", self._counted_from("forecast", self._forecast_at, now), now),
            *self._metrics.operating.report_ages(now),
        ]

    def _counted_from(self, what: str, at: datetime | None, now: datetime) -> datetime | None:
        return None if at is None else self._counted.since(what, at, now)


def _newest(forecasts: Iterable[Forecast]) -> datetime | None:
    """When the newest of them was issued; None where there is none."""
    return max((forecast.issued_at for forecast in forecasts), default=None)
