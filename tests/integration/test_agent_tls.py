"""An agent between a control plane and its gateways with mutual TLS on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from numpy.random import SeedSequence

from heliostat.clock import SystemClock
from heliostat.errors import Forbidden, InvalidSettings, Unavailable
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.usage import UsageQuery
from heliostat.v1 import routing_pb2, usage_pb2
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_driver
from services.agent.hands import Hands
from services.agent.settings import AgentSettings, TlsSettings
from services.cli.certificates import CertificateMaker
from services.configuration import ServerTlsSettings
from services.control_plane.ticks import Tick
from services.identity import Identity, Role
from services.translation.usage import batch_to_wire
from tests.builders import MINUTE, NOON, a_batch, a_catalogue, a_window
from tests.support.agents import EAST
from tests.support.certificates import Authority
from tests.support.examples import example_module
from tests.support.planes import Client, World, a_channel, a_world, error_in
from tests.support.waiting import until

GATEWAY = Identity(role=Role.GATEWAY, region=EAST, name="gw-1")
ABROAD = Identity(role=Role.GATEWAY, region=RegionName("west"), name="gw-1")
HOUR = UsageQuery(span=Span(NOON - timedelta(hours=1), NOON))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    authority.server()
    return authority


def agents_files(authority: Authority, region: str = "east") -> TlsSettings:
    maker = CertificateMaker(authority.folder, now=SystemClock().now(), valid=timedelta(days=1))
    ca, _, leaf = maker.make(servers=["localhost"], clients=[f"agent/{region}/agent-1"])
    return TlsSettings(ca=ca.certificate, certificate=leaf.certificate, key=leaf.key)


@asynccontextmanager
async def an_agent(
    folder: Path, world: World, tls: TlsSettings, local_tls: ServerTlsSettings | None = None
) -> AsyncIterator[Agent]:
    port = world.plane.address.rpartition(":")[2]
    settings = AgentSettings(
        region="east",
        control_planes=(f"localhost:{port}",),
        tls=tls,
        local_tls=local_tls,
        data_dir=folder,
        local_listen="127.0.0.1:0",
        metrics_listen="",
        seed=1,
        power_safe=False,
    )
    catalogue = a_catalogue()
    hands = Hands(driver=simulated_driver(EAST, catalogue, SeedSequence(1)))
    agent = build_agent(settings, catalogue, now=NOON, hands_of=lambda _: hands)
    await agent.start()
    try:
        yield agent
    finally:
        await agent.stop(0)


@asynccontextmanager
async def at_local_api(
    agent: Agent, credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[Client]:
    async with a_channel(f"127.0.0.1:{agent.local_port}", credentials) as channel:
        yield Client(channel)


async def report(client: Client, source: str = "east/gw-1") -> usage_pb2.ReportUsageResponse:
    batch = batch_to_wire(a_batch([a_window(NOON - MINUTE)], source_id=source))
    call = client.usage.ReportUsage(iter([usage_pb2.ReportUsageRequest(batch=batch)]))
    (answer,) = [answer async for answer in call]
    return answer


@pytest.mark.parametrize("secured", [False, True], ids=["plain text", "mutual TLS"])
async def test_usage_and_routes_pass_through_an_agent_with_certificates(
    authority: Authority, tmp_path: Path, secured: bool
) -> None:
    tls = authority.server()
    credentials = authority.client(GATEWAY) if secured else None
    async with (
        a_world(tls=tls, credentials=authority.client(GATEWAY)) as world,
        an_agent(tmp_path, world, agents_files(authority), tls if secured else None) as agent,
        at_local_api(agent, credentials) as gateway,
    ):
        assert not (await report(gateway)).HasField("refusal")
        await world.tick(Tick.REPLAN, Tick.REROUTE)
        await agent.catch_up()
        # Some tasks have nothing to exchange; each says so as soon as it has looked.
        await until(lambda: agent.link.up)
        assert sum(bucket.offered for bucket in world.stores.usage.query(HOUR)) == 10
        routes = await gateway.routing.GetRoutes(routing_pb2.GetRoutesRequest())
        assert routes.tables[0].origin_region == "east"


async def test_the_example_gateway_comes_in_with_its_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.server()
    maker = CertificateMaker(authority.folder, now=SystemClock().now(), valid=timedelta(days=1))
    ca, _, leaf = maker.make(servers=["localhost"], clients=["gateway/east/gw-1"])
    example = example_module("gateway_client")
    async with (
        a_world(tls=tls, credentials=authority.client(GATEWAY)) as world,
        an_agent(tmp_path, world, agents_files(authority), tls) as agent,
    ):

        def report_once() -> list[int]:
            address = f"localhost:{agent.local_port}"
            with example.channel_to(address, ca.certificate, leaf.certificate, leaf.key) as channel:
                gateway = example.Gateway(channel, "east", "east/gw-1", tmp_path / "table")
                batch = batch_to_wire(a_batch([a_window(NOON - MINUTE)], source_id="east/gw-1"))
                return list(gateway.report(iter([batch])))

        assert await asyncio.to_thread(report_once) == [1]


async def test_a_gateway_of_another_region_does_not_come_in(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.server()
    async with (
        a_world(tls=tls, credentials=authority.client(GATEWAY)) as world,
        an_agent(tmp_path, world, agents_files(authority), tls) as agent,
        at_local_api(agent, authority.client(ABROAD)) as abroad,
        at_local_api(agent, authority.stranger()) as stranger,
        at_local_api(agent) as plain,
    ):
        watch = abroad.routing.WatchRoutes()
        ask = routing_pb2.GetRoutesRequest()
        for call in (abroad.usage.ReportUsage(), watch, abroad.routing.GetRoutes(ask)):
            assert isinstance(await error_in(call), Forbidden)
        for nobody in (stranger, plain):
            assert isinstance(await error_in(nobody.routing.GetRoutes(ask)), Unavailable)


async def test_an_agent_with_another_regions_certificate_is_refused_and_keeps_what_it_heard(
    authority: Authority, tmp_path: Path
) -> None:
    async with (
        a_world(tls=authority.server(), credentials=authority.client(GATEWAY)) as world,
        an_agent(tmp_path, world, agents_files(authority, "west")) as agent,
        at_local_api(agent) as gateway,
    ):
        assert not (await report(gateway)).HasField("refusal")
        with pytest.raises(Forbidden):
            await agent.catch_up(timeout_seconds=30)
        assert not agent.link.up
        assert agent.journal.usage.waiting() == 1
        assert world.stores.usage.first_window() is None


async def test_a_certificate_that_is_none_ends_the_start(
    authority: Authority, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    files = agents_files(authority)
    settings = AgentSettings(
        region="east",
        tls=TlsSettings(ca=broken, certificate=files.certificate, key=files.key),
        data_dir=tmp_path,
    )
    with pytest.raises(InvalidSettings, match=r"HELIOSTAT_AGENT_TLS__CA.*broken\.pem"):
        build_agent(
            settings,
            a_catalogue(),
            now=NOON,
            hands_of=lambda _: Hands(driver=simulated_driver(EAST, a_catalogue(), SeedSequence(1))),
        )
