"""The concrete objects of a control plane, and the values built from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from heliostat.catalogue import FleetCatalogue
from heliostat.loops.control import ControlLoop, ControlSettings, Deciders
from heliostat.loops.forecasts import ForecastLoop
from heliostat.loops.manual import ManualDesk
from heliostat.ports.clock import Clock
from heliostat.ports.stores import Stores
from services.control_plane.bells import Bells
from services.control_plane.desk import Desk
from services.control_plane.gatekeeper import Gate
from services.control_plane.intake import UsageIntake
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics
from services.control_plane.operating_metrics import gateway_figures
from services.control_plane.refusals import RefusalLog
from services.control_plane.routes import RouteHub
from services.control_plane.settings import ControlPlaneSettings
from services.control_plane.threads import StoreThreads
from services.identity import LOCAL
from services.translation.usage import UsageLimits
from storage.notify import ChangeFeed


class Page(Protocol):
    """Shows this control plane's stores to people."""

    @property
    def url(self) -> str:
        """Where it is, once started."""
        ...

    def start(self) -> None:
        """Raises Unavailable when its port is taken."""
        ...

    def stop(self) -> None:
        """Let go of the stores; repeatable, also before `start`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The concrete objects that a control plane is made of; `bootstrap` chooses them.

    `feed` tells of every commit, also (on PostgreSQL) of those of other control planes.
    """

    stores: Stores
    feed: ChangeFeed
    catalogue: FleetCatalogue
    deciders: Deciders
    clock: Clock
    loop_settings: ControlSettings = ControlSettings()
    page: Page | None = None
    warm_up: Callable[[], None] = lambda: None
    """Starts worker processes now, for those who will not wait for them at the first forecast."""
    close: Callable[[], None] = lambda: None
    """Ends what the parts keep open: connections, worker processes."""
    give_up: Callable[[], None] = lambda: None
    """Makes a tick that waits for worker processes end now, with an error; called before `close`."""


def forecasts_of(parts: Parts) -> ForecastLoop:
    """The loop that forecasts and scores."""
    return ForecastLoop(
        stores=parts.stores,
        forecaster=parts.deciders.forecaster,
        scorer=parts.deciders.scorer,
        settings=parts.loop_settings.forecasts,
    )


def desk_of(
    parts: Parts,
    settings: ControlPlaneSettings,
    *,
    loop: ControlLoop,
    leader: Leader,
    metrics: Metrics,
) -> Desk:
    """What servicers work with; made inside a running event loop."""
    bells = Bells()
    threads = StoreThreads(settings.readers)
    routes = RouteHub(parts.stores.routing, parts.catalogue, threads, bells)
    metrics.watchers.set_function(lambda: routes.watchers)
    metrics.watch(lambda: gateway_figures(routes.lags()))
    return Desk(
        stores=parts.stores,
        catalogue=parts.catalogue,
        clock=parts.clock,
        loop=loop,
        manual=ManualDesk(
            stores=parts.stores,
            catalogue=parts.catalogue,
            command_lifetime=parts.loop_settings.command_lifetime,
        ),
        leader=leader,
        threads=threads,
        bells=bells,
        intake=UsageIntake(parts.stores.usage, threads),
        routes=routes,
        metrics=metrics,
        usage_limits=UsageLimits(ahead=settings.usage_ahead, behind=settings.usage_behind),
        command_lease=settings.command_lease,
    )


def gate_of(desk: Desk, settings: ControlPlaneSettings) -> Gate:
    """What the gatekeeper works with."""
    return Gate(
        leader=desk.leader,
        refusals=RefusalLog(desk.stores.audit, desk.threads, desk.clock),
        metrics=desk.metrics,
        insecure=LOCAL if settings.tls is None else None,
        max_message_bytes=settings.max_message_bytes,
    )
