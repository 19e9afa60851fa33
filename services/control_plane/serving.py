"""The gRPC server of a control plane: its services, and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from heliostat.v1 import (
    audit_pb2,
    audit_pb2_grpc,
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
from services.binding import bind, options_of
from services.control_plane.desk import Desk
from services.control_plane.gatekeeper import Gate, Gatekeeper
from services.control_plane.servicers.audit import AuditServicer
from services.control_plane.servicers.fleet import FleetServicer
from services.control_plane.servicers.forecasts import ForecastServicer
from services.control_plane.servicers.plans import PlanServicer
from services.control_plane.servicers.routing import RoutingServicer
from services.control_plane.servicers.usage import UsageServicer
from services.control_plane.settings import ENV_PREFIX, ControlPlaneSettings
from services.server_tls import server_credentials

_SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (usage_pb2, "UsageService"),
        (routing_pb2, "RoutingService"),
        (fleet_pb2, "FleetService"),
        (forecast_pb2, "ForecastService"),
        (plan_pb2, "PlanService"),
        (audit_pb2, "AuditService"),
    )
)


class Serving:
    """A port that answers for a desk, from `start` to `stop`; `bind` says which."""

    def __init__(
        self, desk: Desk, gate: Gate, settings: ControlPlaneSettings, mute: Callable[[], None]
    ) -> None:
        """`mute` ends what rings the desk's bells."""
        self._desk = desk
        self._refusals = gate.refusals
        self._mute = mute
        self._server = aio.server(
            interceptors=[Gatekeeper(gate)], options=options_of(settings.max_message_bytes)
        )
        self._health = health.aio.HealthServicer()
        self._settings = settings
        self.port = 0
        """The real one once bound, also where any free one was asked for."""

    def bind(self) -> None:
        """Take the port, so that it is known. Raises InvalidSettings when it cannot be had."""
        settings = self._settings
        self.port = bind(
            self._server,
            settings.listen,
            _credentials(settings),
            setting=f"listen ({ENV_PREFIX}LISTEN)",
        )

    async def start(self) -> None:
        """Answer from now on, and say so to health checks; `bind` comes first."""
        desk, server = self._desk, self._server
        usage_pb2_grpc.add_UsageServiceServicer_to_server(UsageServicer(desk), server)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(RoutingServicer(desk), server)
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(FleetServicer(desk), server)
        forecast_pb2_grpc.add_ForecastServiceServicer_to_server(ForecastServicer(desk), server)
        plan_pb2_grpc.add_PlanServiceServicer_to_server(PlanServicer(desk), server)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditServicer(desk), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        await server.start()
        for name in ("", *_SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    @property
    def thinks(self) -> bool:
        """True while a what-if or an explanation is computed, even if its caller has gone."""
        return self._desk.threads.thinks

    async def stop(self, grace_seconds: float) -> None:
        """Say that we go, end the streams, wait for the rest, keep what was heard."""
        await self._health.enter_graceful_shutdown()
        self._mute()
        self._desk.bells.close()
        await self._desk.routes.close()
        await self._server.stop(grace_seconds)
        await self._desk.intake.close()
        await self._refusals.close()
        await asyncio.to_thread(self._desk.threads.close)


def _credentials(settings: ControlPlaneSettings) -> grpc.ServerCredentials | None:
    if settings.tls is None:
        return None
    return server_credentials(settings.tls, section="tls", prefix=ENV_PREFIX)
