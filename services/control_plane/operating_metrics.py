"""The figures that alerts watch: gateways that lag or refuse, requests shed, open commands, silent regions,
and the certificate's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric

from heliostat.model.command import Command
from heliostat.model.fleet import Fleet
from heliostat.model.names import RegionName
from heliostat.model.routing import MILLION, RoutingTable
from services.control_plane.ages import Ages
from services.control_plane.lags import GatewayLag
from services.pem import expiry

PREFIX = "heliostat_"


class Replaced:
    """A gauge whose every showing replaces the one before: what is gone is shown no more."""

    def __init__(
        self, registry: CollectorRegistry, name: str, said: str, labels: tuple[str, ...]
    ) -> None:
        self._gauge = Gauge(PREFIX + name, said, labels, registry=registry)
        self._shown: set[tuple[str, ...]] = set()

    def show(self, figures: Mapping[tuple[str, ...], float], *, of: str | None = None) -> None:
        """Values by their labels; `of` = they replace only those with that first label."""
        before = {labels for labels in self._shown if of in (None, labels[0])}
        for gone in before - figures.keys():
            self._gauge.remove(*gone)
        for labels, value in figures.items():
            self._gauge.labels(*labels).set(value)
        self._shown = (self._shown - before) | figures.keys()


class OperatingMetrics:
    """Gauges on the control plane's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        route = ("from_region", "model", "tier")
        self._weight = Replaced(
            registry,
            "route_weight",
            "Share of requests routed (1 = all)",
            ("from_region", "to_region", "model", "tier"),
        )
        self._shed = Replaced(
            registry, "route_shed_ratio", "Share of requests that a table sheds (1 = all)", route
        )
        self._open = Replaced(
            registry, "open_commands", "Commands that have not ended", ("region",)
        )
        self._overdue = Replaced(
            registry, "overdue_commands", "Open commands that are past their deadline", ("region",)
        )
        self._reported: dict[str, datetime] = {}
        self._counted = Ages()

    def show_table(self, table: RoutingTable) -> None:
        """Put this table's shares in place of those of its origin's table before."""
        weights: dict[tuple[str, ...], float] = {}
        shed: dict[tuple[str, ...], float] = {}
        for entry in table.entries:
            shed[table.origin, entry.model, entry.tier] = entry.shed_ppm / MILLION
            for share in entry.shares:
                to = (table.origin, share.serving, entry.model, entry.tier)
                weights[to] = share.weight_ppm / MILLION
        self._weight.show(weights, of=table.origin)
        self._shed.show(shed, of=table.origin)

    def show_commands(
        self, open_commands: Iterable[Command], regions: Iterable[RegionName], now: datetime
    ) -> None:
        """Count these in each of the regions."""
        found = tuple(open_commands)
        every = Counter(command.region for command in found)
        late = Counter(command.region for command in found if command.not_after <= now)
        names = tuple(regions)
        self._open.show({(name,): every[name] for name in names})
        self._overdue.show({(name,): late[name] for name in names})

    def hear(self, fleet: Fleet) -> None:
        """When each region last reported, as this fleet has it: reports from the future are replaced once
        clocks were set back."""
        reported: dict[str, datetime] = {}
        for state in fleet.pools:
            at, region = state.observed_at, state.observation.pool.region
            if at is not None:
                reported[region] = max(at, reported.get(region, at))
        self._reported = reported

    def report_ages(self, now: datetime) -> Iterable[Metric]:
        """How long ago each region last reported; nothing for one that never did."""
        family = GaugeMetricFamily(
            f"{PREFIX}region_report_age_seconds",
            "Age of the region's newest report, as of the last look at the fleet",
            labels=("region",),
        )
        for region, at in tuple(self._reported.items()):
            since = self._counted.since(region, at, now)
            family.add_metric([region], (now - since).total_seconds())
        return [family]


def gateway_figures(lags: Iterable[GatewayLag]) -> Iterable[Metric]:
    """What connected gateways make of their tables; nothing where none is connected."""
    labels = ("region", "gateway")
    plans = GaugeMetricFamily(
        f"{PREFIX}gateway_plan_versions_behind",
        "Plan versions (a count, not seconds) between the newest routing table and the one that a connected"
        " gateway uses",
        labels=labels,
    )
    seconds = GaugeMetricFamily(
        f"{PREFIX}gateway_routes_lag_seconds",
        "From when the routing table that a connected gateway uses was made to when the newest one was (0 ="
        " it uses that)",
        labels=labels,
    )
    refuses = GaugeMetricFamily(
        f"{PREFIX}gateway_refuses_table",
        "1 while a connected gateway's last word was that it refused a table",
        labels=labels,
    )
    for lag in lags:
        place = (lag.region, lag.gateway)
        plans.add_metric(place, lag.plan_versions)
        seconds.add_metric(place, lag.behind.total_seconds())
        refuses.add_metric(place, lag.refuses)
    return [plans, seconds, refuses]


def certificate_end(certificate: Path) -> Iterable[Metric]:
    """When the server's certificate in that file ends; nothing where it cannot be read."""
    family = GaugeMetricFamily(
        f"{PREFIX}server_certificate_expiry_timestamp_seconds",
        "When the server's certificate on disk ends (Unix time)",
    )
    ends_at = expiry(certificate)
    if ends_at is not None:
        family.add_metric([], ends_at.timestamp())
    return [family]
