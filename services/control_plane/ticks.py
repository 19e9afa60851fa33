"""The loops' ticks by name: in the leader only, one at a time per lane, each with its log and figures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from prometheus_client.core import Metric

from heliostat.clock import monotonic_seconds
from heliostat.errors import NotLeader, Unavailable
from heliostat.loops.control import ControlLoop
from heliostat.loops.forecasts import ForecastLoop
from heliostat.model.command import OPEN_STATES
from heliostat.model.names import RegionName
from heliostat.ports.clock import Clock
from heliostat.ports.decisions import Committed
from heliostat.ports.stores import Stores
from services.control_plane.ages import Ages
from services.control_plane.lags import gateway_lags
from services.control_plane.lanes import Lane, Lanes
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics, plan_age
from services.wording import report, say

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


_PATIENCE = {Tick.REFRESH: 10.0}
"""Seconds. A refresh is followed by a plan, which must not wait until a selection has ended."""


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
    ) -> None:
        """`regions` are all of the catalogue."""
        self._loop = loop
        self._regions = tuple(regions)
        self._forecasts = forecasts
        self._stores = stores
        self._leader = leader
        self._metrics = metrics
        self._clock = clock
        self._lanes = Lanes()
        self._closed = False
        self._planned_at: datetime | None = None
        self._counted = Ages()
        metrics.watch(self._ages)
        self._acts: dict[Tick, Callable[[datetime, int], dict[str, Any]]] = {
            Tick.REFRESH: self._refresh,
            Tick.SELECT: self._select,
            Tick.REPLAN: self._replan,
            Tick.REROUTE: self._reroute,
            Tick.SETTLE: self._settle,
            Tick.SCORE: self._score,
            Tick.HOUSEKEEP: self._housekeep,
        }

    def run(self, tick: Tick, now: datetime, *, patience_seconds: float | None = None) -> None:
        """Do it, in the calling thread, after the tick that is running in its lane.

        Raises NotLeader, Fenced, Unavailable after `close` or when its lane is still busy after
        `patience_seconds` (None = wait as long as it takes), and whatever stopped the tick; nothing of
        it is stored then.
        """
        with self._lanes.entered(_LANES[tick], patience_seconds) as free:
            if not free:
                raise Unavailable("another tick of its lane is running", remedy=_LATER)
            if self._closed:
                raise Unavailable("the control plane is shutting down")
            epoch = self._leader.epoch()
            started = monotonic_seconds()
            try:
                fields = self._acts[tick](now, epoch)
            except Exception:  # whatever it was goes on; the figures count failed ticks too
                self._timed(tick, "failed", started)
                raise
            seconds = self._timed(tick, "done", started)
        say(_log, f"{tick}_done", now=now.isoformat(), milliseconds=round(seconds * 1000), **fields)

    def attempt(self, *ticks: Tick) -> None:
        """Do them in turn at the clock's now; a failure is logged with its reason and the next goes on.

        Followers do nothing.
        """
        for tick in ticks:
            if self._closed or not self._leader.leading:
                return
            try:
                self.run(tick, self._clock.now(), patience_seconds=_PATIENCE.get(tick))
            except NotLeader:
                return
            except Exception as error:  # noqa: BLE001 - one failed tick must not stop the others
                report(_log, f"{tick}_failed", error)

    def close(self) -> None:
        """No tick begins from now on; one that runs goes on."""
        self._closed = True

    def ended(self, at_most_seconds: float) -> bool:
        """Wait so long for the running ticks; False when one still runs then. After `close`."""
        return self._lanes.ended(at_most_seconds)

    def _timed(self, tick: Tick, outcome: str, started: float) -> float:
        seconds = monotonic_seconds() - started
        self._metrics.ticks.labels(tick, outcome).observe(seconds)
        return seconds

    # --- what each does, and what is said of it ------------------------------------------------

    def _refresh(self, now: datetime, epoch: int) -> dict[str, Any]:
        forecasts = self._forecasts.refresh(now, epoch=epoch)
        self._metrics.show_forecasts(forecasts)
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
        self._metrics.operating.show_lags(gateway_lags(self._stores.routing))
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
        now, made_at = self._clock.now(), self._planned_at
        since = None if made_at is None else self._counted.since("plan", made_at, now)
        return [*plan_age(since, now), *self._metrics.operating.report_ages(now)]
