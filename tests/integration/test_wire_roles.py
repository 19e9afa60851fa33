"""Over TLS everybody has a role from his certificate, and only what the role may do is done."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from heliostat.errors import (
    Forbidden,
    HeliostatError,
    InvalidSettings,
    Unauthenticated,
    Unavailable,
)
from heliostat.model.command import CommandState, ScaleOrder
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.ports.decisions import Decision
from heliostat.v1 import fleet_pb2, plan_pb2, routing_pb2, usage_pb2
from services.control_plane.ticks import Tick
from services.identity import Identity, Role
from services.server_tls import CertificateFiles
from services.translation.fields import instant_to_wire
from services.translation.fleet import observation_to_wire
from services.translation.names import pool_to_wire
from services.translation.problems import error_of, error_of_problem
from services.translation.usage import batch_to_wire
from tests.builders import MINUTE, NOON, a_batch, a_pool, a_series, a_window, an_observation
from tests.support.agents import a_command
from tests.support.certificates import LONG_AGO, Authority
from tests.support.planes import Client, World, a_channel, a_world, error_in

EAST, WEST = RegionName("east"), RegionName("west")
WHO = {
    "agent": Identity(role=Role.AGENT, region=EAST, name="agent-1"),
    "gateway": Identity(role=Role.GATEWAY, region=EAST, name="gw-1"),
    "automation": Identity(role=Role.AUTOMATION, name="ci"),
    "operator": Identity(role=Role.OPERATOR, name="ann"),
    "admin": Identity(role=Role.ADMIN, name="root"),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    authority.server()
    return authority


def report(origin: str = "east", source: str = "east/gw-1") -> Callable[[Client], Awaitable[Any]]:
    windows = [a_window(NOON - MINUTE, series=a_series(origin=origin))]
    batch = batch_to_wire(a_batch(windows, source_id=source))

    async def call(client: Client) -> None:
        request = usage_pb2.ReportUsageRequest(batch=batch)
        (answer,) = [a async for a in client.usage.ReportUsage(iter([request]))]
        if answer.HasField("refusal"):
            raise error_of_problem(answer.refusal)

    return call


def scale(client: Client) -> Awaitable[Any]:
    request = fleet_pb2.ScalePoolRequest(
        pool=pool_to_wire(a_pool()),
        target_replicas=2,
        reason="why not",
        request_id="r-1",
        expires_at=instant_to_wire(NOON + timedelta(hours=1)),
    )
    return client.fleet.ScalePool(request)


def observe(region: str) -> Callable[[Client], Awaitable[Any]]:
    observation = observation_to_wire(an_observation(region=region))
    request = fleet_pb2.ReportFleetRequest(observation=observation)
    return lambda client: client.fleet.ReportFleet(request)


async def take_commands(client: Client, region: str = "east") -> None:
    request = fleet_pb2.WatchCommandsRequest(region=region, agent_id="agent-1")
    await _first_of(client.fleet.WatchCommands(request))


async def watch_routes(client: Client, region: str = "east") -> None:
    subscription = routing_pb2.RouteSubscription(origin_region=region, gateway_id="gw-1")
    stream = client.routing.WatchRoutes()
    await stream.write(routing_pb2.WatchRoutesRequest(subscribe=subscription))
    await _first_of(stream)


async def _first_of(stream: Any) -> None:
    """What a stream that was let in brings at once (`stock` sees to it); raises what it was refused with."""
    assert await stream.read() is not aio.EOF
    stream.cancel()


async def stock(world: World) -> None:
    """A table and a command for each region, so that every watcher has something to hear."""
    await world.tick(Tick.REROUTE)
    orders = tuple(
        a_command(region=region, order=ScaleOrder(pool=a_pool(region), target_replicas=2))
        for region in (EAST, WEST)
    )
    waiting = tuple(replace(one, command_id="", state=CommandState.PENDING) for one in orders)
    epoch = world.plane.leader.epoch()
    world.stores.decisions.commit(Decision(commands=waiting), epoch=epoch)


def look(client: Client) -> Awaitable[Any]:
    return client.fleet.GetFleet(fleet_pb2.GetFleetRequest())


def set_mode(client: Client) -> Awaitable[Any]:
    return client.set_mode(Mode.ACTIVE)


def propose(client: Client) -> Awaitable[Any]:
    return client.plans.ProposePlan(plan_pb2.ProposePlanRequest())


CALLS: dict[str, tuple[Callable[[Client], Awaitable[Any]], set[str]]] = {
    "report usage": (report(), set(WHO)),
    "look": (look, set(WHO)),
    "watch routes": (watch_routes, set(WHO)),
    "propose": (propose, {"automation", "operator", "admin"}),
    "scale": (scale, {"automation", "operator", "admin"}),
    "set mode": (set_mode, {"operator", "admin"}),
    "take commands": (take_commands, {"agent", "admin"}),
    "report fleet": (observe("east"), {"agent", "admin"}),
}


async def _outcome(call: Awaitable[Any]) -> HeliostatError | None:
    try:
        await call
    except HeliostatError as error:
        return error
    except grpc.RpcError as error:
        return error_of(error)
    return None


@pytest.mark.parametrize("who", WHO)
async def test_a_role_may_do_what_its_table_says(authority: Authority, who: str) -> None:
    credentials = authority.client(WHO[who])
    async with a_world(tls=authority.server(), credentials=credentials) as world:
        await stock(world)
        for name, (call, roles) in CALLS.items():
            outcome = await _outcome(call(world.client))
            expected = type(None) if who in roles else Forbidden
            assert type(outcome) is expected, (who, name, outcome)


@pytest.mark.parametrize(
    "call",
    [
        report(origin="west", source="east/gw-1"),
        report(source="west/gw-1"),
        report(source="gw-1"),
        observe("west"),
        lambda client: take_commands(client, "west"),
        lambda client: watch_routes(client, "west"),
    ],
    ids=["origin", "source", "bare source", "fleet", "commands", "routes"],
)
async def test_an_agent_speaks_for_its_own_region_only(
    authority: Authority, call: Callable[[Client], Awaitable[Any]]
) -> None:
    credentials = authority.client(WHO["agent"])
    async with a_world(tls=authority.server(), credentials=credentials) as world:
        await stock(world)
        assert type(await _outcome(call(world.client))) is Forbidden
        assert world.stores.usage.first_window() is None


async def test_what_was_forbidden_is_audited_under_its_author(authority: Authority) -> None:
    credentials = authority.client(WHO["gateway"])
    async with a_world(tls=authority.server(), credentials=credentials) as world:
        await _outcome(scale(world.client))
        (record,) = _records(world)
        assert record.author == "gateway:east/gw-1"
        assert (record.action, record.outcome) == ("scale-pool", "refused: FORBIDDEN")


async def test_what_was_done_is_audited_under_its_author(authority: Authority) -> None:
    credentials = authority.client(WHO["operator"])
    async with a_world(tls=authority.server(), credentials=credentials) as world:
        await scale(world.client)
        await set_mode(world.client)
        assert {record.author for record in _records(world)} == {"operator:ann"}


def _records(world: World) -> Any:
    return world.stores.audit.records(Span(NOON, NOON + MINUTE))


async def test_nobody_comes_in_without_a_certificate(authority: Authority) -> None:
    async with a_world(tls=authority.server(), credentials=authority.stranger()) as world:
        assert isinstance(await error_in(look(world.client)), Unavailable)


async def test_an_expired_certificate_does_not_come_in(authority: Authority) -> None:
    expired = authority.client(WHO["admin"], now=LONG_AGO)
    async with a_world(tls=authority.server(), credentials=expired) as world:
        assert isinstance(await error_in(look(world.client)), Unavailable)


async def test_a_certificate_of_another_authority_does_not_come_in(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    other.server()
    forged = other.client(WHO["admin"], trusts=authority)
    async with a_world(tls=authority.server(), credentials=forged) as world:
        assert isinstance(await error_in(look(world.client)), Unavailable)


async def test_plain_text_does_not_come_in_where_tls_is_on(authority: Authority) -> None:
    async with (
        a_world(tls=authority.server(), credentials=authority.stranger()) as world,
        a_channel(world.plane.address) as plain,
    ):
        assert isinstance(await error_in(look(Client(plain))), Unavailable)


async def test_new_certificates_are_taken_up_without_a_restart(tmp_path: Path) -> None:
    first = Authority(tmp_path)
    tls = first.server()
    async with a_world(tls=tls, credentials=first.client(WHO["admin"])) as world:
        await look(world.client)
        for name in ("ca.pem", "ca-key.pem"):
            (tmp_path / name).unlink()
        first.server()
        for number, path in enumerate((tls.certificate, tls.key, tls.client_ca)):
            os.utime(path, ns=(number, 2_000_000_000 + number))
        async with a_channel(world.plane.address, first.client(WHO["admin"])) as channel:
            assert await look(Client(channel)) == await look(world.client)


def test_certificates_that_cannot_be_read_leave_the_old_ones_in_use(tmp_path: Path) -> None:
    tls = Authority(tmp_path).server()
    files = CertificateFiles(tls, section="tls", prefix="HELIOSTAT_")
    assert files.news() is None
    os.utime(tls.key, ns=(1, 1))
    assert files.news() is not None
    assert files.news() is None
    tls.key.unlink()
    assert files.news() is None
    with pytest.raises(InvalidSettings, match="server-key"):
        files.configuration()


async def test_a_server_certificate_is_no_identity(authority: Authority) -> None:
    tls = authority.server()
    server = grpc.ssl_channel_credentials(
        tls.client_ca.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
    )
    async with a_world(tls=tls, credentials=server) as world:
        outcome = await error_in(look(world.client))
        assert isinstance(outcome, Unauthenticated | Unavailable)
