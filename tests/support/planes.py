"""Control planes on loopback, made of memory stores and deciders that do what a test tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio

from heliostat.clock import SteppedClock, SystemClock
from heliostat.errors import HeliostatError
from heliostat.model.governance import Mode
from heliostat.model.names import PoolKey
from heliostat.ports.deciding import Router
from heliostat.ports.stores import Stores
from heliostat.v1.audit_pb2_grpc import AuditServiceStub
from heliostat.v1.fleet_pb2_grpc import FleetServiceStub
from heliostat.v1.forecast_pb2_grpc import ForecastServiceStub
from heliostat.v1.plan_pb2 import SetModeRequest
from heliostat.v1.plan_pb2_grpc import PlanServiceStub
from heliostat.v1.routing_pb2_grpc import RoutingServiceStub
from heliostat.v1.usage_pb2_grpc import UsageServiceStub
from services.control_plane.parts import Parts
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import ControlPlaneSettings
from services.control_plane.ticks import Tick
from services.translation.enums import MODE
from services.translation.problems import error_of
from storage.memory import memory_stores
from storage.notify import ChangeFeed
from tests.builders import NOON, a_catalogue
from tests.heliostat.fakes import FakeDeciders, fake_deciders

if TYPE_CHECKING:
    from heliostat.v1.audit_pb2_grpc import AuditServiceAsyncStub
    from heliostat.v1.fleet_pb2_grpc import FleetServiceAsyncStub
    from heliostat.v1.forecast_pb2_grpc import ForecastServiceAsyncStub
    from heliostat.v1.plan_pb2_grpc import PlanServiceAsyncStub
    from heliostat.v1.routing_pb2_grpc import RoutingServiceAsyncStub
    from heliostat.v1.usage_pb2_grpc import UsageServiceAsyncStub


@dataclass
class Client:
    """Every conversation of one control plane over one channel."""

    channel: aio.Channel

    def __post_init__(self) -> None:
        self.usage: UsageServiceAsyncStub = UsageServiceStub(self.channel)
        self.routing: RoutingServiceAsyncStub = RoutingServiceStub(self.channel)
        self.fleet: FleetServiceAsyncStub = FleetServiceStub(self.channel)
        self.forecasts: ForecastServiceAsyncStub = ForecastServiceStub(self.channel)
        self.plans: PlanServiceAsyncStub = PlanServiceStub(self.channel)
        self.audit: AuditServiceAsyncStub = AuditServiceStub(self.channel)

    async def set_mode(self, mode: Mode, region: str = "*") -> None:
        """Put a mode in force."""
        await self.plans.SetMode(
            SetModeRequest(region=region, mode=MODE.to_wire(mode), reason="the test wants it")
        )


@dataclass
class World:
    """A running control plane, and what a test turns in it."""

    plane: ControlPlane
    clock: SteppedClock
    deciders: FakeDeciders
    client: Client
    feed: ChangeFeed = field(default_factory=ChangeFeed)

    @property
    def stores(self) -> Stores:
        """What it remembers."""
        return self.plane.stores

    async def tick(self, *ticks: Tick) -> None:
        """Run ticks at the clock's now."""
        for tick in ticks:
            await self.plane.tick(tick, self.clock.now())


def plane_settings(**changes: Any) -> ControlPlaneSettings:
    """A control plane on any free port, whose ticks the test runs itself."""
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "",
        "page_listen": "",
        "scheduled": False,
        "shutdown_grace": timedelta(seconds=2),
    }
    return ControlPlaneSettings(**(values | changes))


@asynccontextmanager
async def a_world(
    *,
    at: datetime = NOON,
    targets: dict[PoolKey, int] | None = None,
    stores: Stores | None = None,
    feed: ChangeFeed | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    router: Router | None = None,
    deciders: FakeDeciders | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    """A control plane that runs until the block ends; `router` and `deciders` instead of the fake ones."""
    clock, feed = SteppedClock(at), feed or ChangeFeed()
    fake = deciders or FakeDeciders(targets or {})
    parts = Parts(
        stores=stores or memory_stores(SystemClock(), feed),
        feed=feed,
        catalogue=a_catalogue(),
        deciders=replace(fake_deciders(fake), router=router or fake),
        clock=clock,
    )
    plane = ControlPlane(parts, plane_settings(**changes))
    await plane.start()
    try:
        async with a_channel(plane.address, credentials) as channel:
            yield World(plane, clock, fake, Client(channel), feed)
    finally:
        await plane.stop()


@asynccontextmanager
async def a_channel(
    address: str, credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[aio.Channel]:
    """A channel of its own connection."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    if credentials is None:
        channel = aio.insecure_channel(address, options=options)
    else:
        target = f"localhost:{address.rsplit(':', 1)[1]}"
        channel = aio.secure_channel(target, credentials, options=options)
    async with channel:
        yield channel


async def error_in(call: Any) -> HeliostatError:
    """The typed error with which a call or a stream fails; fails the test when it does not."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not aio.EOF:
                pass
        else:
            await call
    except aio.AioRpcError as error:
        return error_of(error)
    raise AssertionError("the call did not fail")
