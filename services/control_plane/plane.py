"""A running control plane: starts its parts in order, and stops them in the opposite one."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidSettings
from heliostat.loops.control import ControlLoop, ControlSettings, Deciders
from heliostat.loops.manual import ManualDesk
from heliostat.ports.clock import Clock
from heliostat.ports.stores import Stores
from heliostat.v1 import (
    fleet_pb2,
    fleet_pb2_grpc,
    forecast_pb2,
    forecast_pb2_grpc,
    plan_pb2,
    plan_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)
from services.addresses import split_address
from services.control_plane.bells import Bells
from services.control_plane.desk import Desk
from services.control_plane.gatekeeper import Gate, Gatekeeper
from services.control_plane.identity import LOCAL
from services.control_plane.intake import UsageIntake
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics, MetricsPage
from services.control_plane.routes import RouteHub
from services.control_plane.schedule import Schedule
from services.control_plane.servicers.fleet import FleetServicer
from services.control_plane.servicers.forecasts import ForecastServicer
from services.control_plane.servicers.plans import PlanServicer
from services.control_plane.servicers.routing import RoutingServicer
from services.control_plane.servicers.usage import UsageServicer
from services.control_plane.settings import ControlPlaneSettings
from services.control_plane.threads import StoreThreads
from services.control_plane.ticks import Tick, Ticks
from services.control_plane.tls import server_credentials
from services.translation.usage import UsageLimits
from services.wording import say
from storage.notify import ChangeFeed

_log = logging.getLogger(__name__)

_SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (usage_pb2, "UsageService"),
        (routing_pb2, "RoutingService"),
        (fleet_pb2, "FleetService"),
        (forecast_pb2, "ForecastService"),
        (plan_pb2, "PlanService"),
    )
)


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
    close: Callable[[], None] = lambda: None
    """Ends what the parts keep open: connections, worker processes."""


class ControlPlane:
    """One control plane inside this process; start and stop it from a running event loop."""

    def __init__(self, parts: Parts, settings: ControlPlaneSettings) -> None:
        self._parts = parts
        self._settings = settings
        self.metrics = Metrics()
        self.loop = ControlLoop(
            stores=parts.stores,
            catalogue=parts.catalogue,
            deciders=parts.deciders,
            settings=parts.loop_settings,
        )
        self.leader = Leader(
            parts.stores.leadership,
            name=f"{settings.name}-{os.getpid()}",
            address=settings.advertised,
            term=settings.lease,
            on_change=self._leads,
        )
        self._ticks = Ticks(
            self.loop,
            stores=parts.stores,
            leader=self.leader,
            metrics=self.metrics,
            clock=parts.clock,
        )
        self._schedule = Schedule(self._ticks, settings.cadence) if settings.scheduled else None
        self._tick_thread = ThreadPoolExecutor(1, thread_name_prefix="tick")
        self._page: MetricsPage | None = None
        self._running: _Running | None = None

    async def start(self) -> None:
        """Serve. Raises SecondControlPlane, StorageUnavailable, InvalidSettings (cannot bind)."""
        try:
            await asyncio.to_thread(self.leader.start)
            self._running = await _Running.start(self._parts, self._settings, self)
            if self._settings.metrics_listen:
                host, port = split_address(self._settings.metrics_listen)
                self._page = _metrics_page(self.metrics, host, port)
        except BaseException:
            await self.stop()
            raise
        if self._schedule is not None:
            self._schedule.start()
        say(_log, "control_plane_started", address=self.address, leading=self.leader.leading)

    async def stop(self) -> None:
        """Finish the running tick, end streams, keep what was heard, release the lease; repeatable."""
        if self._schedule is not None:
            await asyncio.to_thread(self._schedule.stop)
        await asyncio.to_thread(self._tick_thread.shutdown)
        running, self._running = self._running, None
        if running is not None:
            await running.stop(self._settings.shutdown_grace.total_seconds())
        await asyncio.to_thread(self.leader.stop)
        page, self._page = self._page, None
        if page is not None:
            await asyncio.to_thread(page.close)
        await asyncio.to_thread(self._parts.close)
        say(_log, "control_plane_stopped")

    async def tick(self, tick: Tick, now: datetime) -> None:
        """Let a coordinator run one tick at its own instant, in the tick thread.

        Raises NotLeader, Fenced and whatever stopped the tick.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._tick_thread, self._ticks.run, tick, now)

    @property
    def stores(self) -> Stores:
        """What this control plane remembers, for those in the same process."""
        return self._parts.stores

    @property
    def address(self) -> str:
        """host:port on which it serves; the port is real also where any free one was asked for."""
        if self._running is None:
            return self._settings.listen
        host, _ = split_address(self._settings.listen)
        return f"{host}:{self._running.port}"

    @property
    def metrics_port(self) -> int | None:
        """The port of `/metrics`; None where it is off."""
        return None if self._page is None else self._page.port

    def _leads(self, leading: bool) -> None:
        self.metrics.leading.set(leading)
        if leading and self._schedule is not None:
            self._schedule.hurry()


class _Running:
    """What exists only while the event loop runs."""

    def __init__(self, server: aio.Server, desk: Desk, port: int, mute: Callable[[], None]) -> None:
        self._server = server
        self._desk = desk
        self.port = port
        self._mute = mute
        self._health = health.aio.HealthServicer()

    @classmethod
    async def start(
        cls, parts: Parts, settings: ControlPlaneSettings, plane: ControlPlane
    ) -> _Running:
        bells = Bells()
        threads = StoreThreads(settings.readers)
        desk = Desk(
            stores=parts.stores,
            catalogue=parts.catalogue,
            clock=parts.clock,
            loop=plane.loop,
            manual=ManualDesk(
                stores=parts.stores,
                catalogue=parts.catalogue,
                command_lifetime=parts.loop_settings.command_lifetime,
            ),
            leader=plane.leader,
            threads=threads,
            bells=bells,
            intake=UsageIntake(parts.stores.usage, threads),
            routes=RouteHub(parts.stores.routing, parts.catalogue, threads, bells),
            metrics=plane.metrics,
            usage_limits=UsageLimits(ahead=settings.usage_ahead, behind=settings.usage_behind),
            command_lease=settings.command_lease,
        )
        gate = Gate(
            leader=plane.leader,
            audit=parts.stores.audit,
            threads=threads,
            clock=parts.clock,
            metrics=plane.metrics,
            insecure=LOCAL if settings.tls is None else None,
            max_message_bytes=settings.max_message_bytes,
        )
        server = aio.server(interceptors=[Gatekeeper(gate)], options=_options(settings))
        running = cls(server, desk, _bind(server, settings), parts.feed.subscribe(bells.ring))
        await running._serve()
        return running

    async def _serve(self) -> None:
        desk, server = self._desk, self._server
        usage_pb2_grpc.add_UsageServiceServicer_to_server(UsageServicer(desk), server)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(RoutingServicer(desk), server)
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(FleetServicer(desk), server)
        forecast_pb2_grpc.add_ForecastServiceServicer_to_server(ForecastServicer(desk), server)
        plan_pb2_grpc.add_PlanServiceServicer_to_server(PlanServicer(desk), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        await server.start()
        for name in ("", *_SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Say that we go, end the streams, wait for the rest, keep what was heard."""
        await self._health.enter_graceful_shutdown()
        self._mute()
        self._desk.bells.close()
        await self._desk.routes.close()
        await self._server.stop(grace_seconds)
        await self._desk.intake.close()
        await asyncio.to_thread(self._desk.threads.close)


def _options(settings: ControlPlaneSettings) -> list[tuple[str, int]]:
    """Keep-alive that finds dead gateways within 40 s, and room above our own message limit.

    Above that room gRPC itself refuses, without our words.
    """
    return [
        ("grpc.max_receive_message_length", 4 * settings.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.so_reuseport", 0),
    ]


def _bind(server: aio.Server, settings: ControlPlaneSettings) -> int:
    try:
        if settings.tls is None:
            return server.add_insecure_port(settings.listen)
        return server.add_secure_port(settings.listen, server_credentials(settings.tls))
    except RuntimeError:
        raise InvalidSettings(
            "listen (HELIOSTAT_LISTEN)",
            f"cannot listen on {settings.listen}",
            remedy="is another process listening there?",
        ) from None


def _metrics_page(metrics: Metrics, host: str, port: int) -> MetricsPage:
    try:
        return MetricsPage(metrics, host, port)
    except OSError as error:
        raise InvalidSettings(
            "metrics_listen (HELIOSTAT_METRICS_LISTEN)",
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="choose another port, or set it empty for none",
        ) from None
