"""Prometheus metrics of the control plane, under the names that `docs/monitoring.md` promises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heliostat.model.command import Command
from heliostat.model.fleet import Fleet
from heliostat.model.forecast import Forecast, ForecastScore
from heliostat.model.plan import CapacityPlan
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import LeadTimeEstimate
from services.control_plane.operating_metrics import PREFIX, OperatingMetrics
from services.control_plane.permissions import RULES

_POOL = ("region", "model", "vm_type")
_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
_HORIZON_STEPS = (1, 4, 16, 96)
"""Which steps of a forecast are shown: with 15-minute steps 15 min, 1 h, 4 h and 24 h ahead."""


_WATCHED = ("INTERNAL", "STORAGE_UNAVAILABLE")
"""How calls end that alerts look for. Their series begin at zero: Prometheus sees no increase in a series
that begins at one, and the first such call would be missed."""


class Metrics:
    """All figures of one control plane, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = self._counter("calls", "Calls ended", "method", "reason")
        for method, reason in product(RULES, _WATCHED):
            self.calls.labels(_short(method), reason)
        self.ticks = self._histogram(
            "tick_duration_seconds", "Ticks of the control loop", "tick", "outcome"
        )
        self.decisions = self._counter("decision", "Decisions made", "action", "reason")
        self.desired = self._gauge("desired_replicas", "Target replicas", *_POOL)
        self.ready = self._gauge("ready_replicas", "Ready replicas", *_POOL)
        self.error = self._gauge(
            "forecast_error_ratio",
            "Recent weighted absolute percentage error (1 = 100 %)",
            *("region", "model", "tier", "kind", "horizon_seconds", "method"),
        )
        self.solver = self._histogram("solver_duration_seconds", "CPU time of a plan's solve")
        self.gap = self._gauge("solver_gap_ratio", "Cost above the LP bound")
        self.lead_time = self._gauge(
            "lead_time_seconds",
            "Order to ready, measured or assumed",
            *_POOL,
            "start_kind",
            "quantile",
        )
        self.leading = self._gauge("leading", "1 while this control plane leads")
        self.watchers = self._gauge("route_watchers", "Gateways watching routing tables")
        self._forecasts: tuple[Forecast, ...] = ()
        self.operating = OperatingMetrics(self.registry)
        self.watch(self._forecast_figures)

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, said, labels, registry=self.registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, said, labels, registry=self.registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        return Histogram(PREFIX + name, said, labels, buckets=_SECONDS, registry=self.registry)

    def call_ended(self, method: str, reason: str) -> None:
        """Count one call."""
        self.calls.labels(_short(method), reason).inc()

    def show_forecasts(self, forecasts: Iterable[Forecast]) -> None:
        """Replace the figures; there are thousands, computed on request."""
        self._forecasts = tuple(forecasts)

    def _forecast_figures(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            f"{PREFIX}forecast_tokens_per_second",
            "Forecast mean rate",
            labels=("region", "model", "tier", "kind", "horizon_seconds", "quantile"),
        )
        for forecast in self._forecasts:
            demand = forecast.key.demand
            series = (demand.origin, demand.model, demand.tier, forecast.key.kind)
            for steps in _HORIZON_STEPS:
                if steps > forecast.steps:
                    break
                ahead = str(round(forecast.step.total_seconds() * steps))
                for level, row in zip(forecast.levels, forecast.mean, strict=True):
                    family.add_metric((*series, ahead, str(level)), row[steps - 1])
        return [family]

    def show_scores(self, scores: Iterable[ForecastScore]) -> None:
        """Put these in place of the ones before; a score that does not exist is not shown."""
        self.error.clear()
        for score in scores:
            demand = score.key.demand
            if score.wape is not None:
                ahead = round(score.horizon.total_seconds())
                labels = (demand.origin, demand.model, demand.tier, score.key.kind, ahead)
                self.error.labels(*labels, score.method).set(score.wape)

    def show_plan(self, plan: CapacityPlan, commands: Iterable[Command]) -> None:
        """A plan was made, with these orders."""
        self.decisions.labels("plan", plan.status).inc()
        for target in plan.targets:
            pool = target.pool
            self.desired.labels(pool.region, pool.model, pool.vm_type).set(target.replicas)
            if target.replicas != target.current:
                grows = target.replicas > target.current
                action = "scale-out" if grows else "scale-in"
                self.decisions.labels(action, target.reason.binding or "other").inc()
        for command in commands:
            self.decisions.labels("order", type(command.order).__name__).inc()
        if plan.solve is not None:
            self.solver.observe(plan.solve.cpu_seconds)
            if plan.solve.gap is not None:
                self.gap.set(plan.solve.gap)

    def show_lead_times(self, estimates: Iterable[LeadTimeEstimate]) -> None:
        """How long starts take."""
        for one in estimates:
            labels = (one.pool.region, one.pool.model, one.pool.vm_type, one.start_kind)
            self.lead_time.labels(*labels, 0.5).set(one.p50.total_seconds())
            self.lead_time.labels(*labels, 0.9).set(one.p90.total_seconds())

    def show_fleet(self, fleet: Fleet) -> None:
        """What stands now."""
        for state in fleet.pools:
            seen = state.observation
            labels = (seen.pool.region, seen.pool.model, seen.pool.vm_type)
            self.ready.labels(*labels).set(seen.ready)
        self.operating.hear(fleet)

    def show_routes(self, tables: Iterable[RoutingTable]) -> None:
        """Tables were published."""
        for table in tables:
            self.decisions.labels("route", "published").inc()
            self.operating.show_table(table)

    def expect_ticks(self, tick: str, outcomes: Iterable[str]) -> None:
        """Begin these series at zero, so that alerts see the first tick of an outcome too."""
        for outcome in outcomes:
            self.ticks.labels(tick, outcome)

    def watch(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Add figures that are computed on request."""
        self.registry.register(_Asked(collect))


class _Asked(Collector):
    """Figures that are computed on request."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        """Ask now."""
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        """Nothing is computed at registration."""
        return ()


def age_figure(what: str, since: datetime | None, now: datetime) -> Iterable[Metric]:
    """The age of the newest "plan" or "forecast", counted from `since`; nothing before the first."""
    family = GaugeMetricFamily(f"{PREFIX}{what}_age_seconds", f"Age of the newest {what}")
    if since is not None:
        family.add_metric([], (now - since).total_seconds())
    return [family]


def _short(method: str) -> str:
    """The method without its service, which metrics do not name."""
    return method.rsplit("/", 1)[-1]


class MetricsPage:
    """`/metrics` on a port of its own."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        served: tuple[Any, threading.Thread] = start_http_server(
            port, addr=host, registry=metrics.registry
        )
        self._server, self._thread = served

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
