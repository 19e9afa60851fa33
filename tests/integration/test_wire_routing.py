"""Routes over the wire: whole tables on connect and on change, and what gateways say is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import aio

from heliostat.errors import InvalidInput, Unavailable, UnknownRegion, UnknownRoutingTable
from heliostat.model.fleet import PoolObservation
from heliostat.model.governance import Mode
from heliostat.model.routing import RoutingAck
from heliostat.v1 import common_pb2, routing_pb2
from planning.routing.router import WaterFillingRouter
from services.control_plane.ticks import Tick
from services.translation.routing import gateway_from_wire, table_from_wire
from tests.builders import a_pool, an_observation
from tests.support.examples import example_module
from tests.support.planes import Client as Gateway
from tests.support.planes import World, a_channel, a_world, error_in
from tests.support.waiting import until

Request = routing_pb2.WatchRoutesRequest
Stream = Any


async def subscribed(world: World, origin: str = "east", gateway: str = "gw-1") -> Stream:
    stream = world.client.routing.WatchRoutes()
    subscription = routing_pb2.RouteSubscription(origin_region=origin, gateway_id=gateway)
    await stream.write(Request(subscribe=subscription))
    return stream


async def say(stream: Stream, response: Any, accepted: bool = True, detail: str = "") -> None:
    word = routing_pb2.RouteAcknowledgement(
        version=response.table.version, nonce=response.nonce, accepted=accepted, detail=detail
    )
    await stream.write(Request(acknowledgement=word))


async def words(world: World, count: int = 1) -> tuple[RoutingAck, ...]:
    """The gateways' words, as soon as that many are kept."""
    for _ in range(200):
        response = await world.client.routing.GetRoutes(routing_pb2.GetRoutesRequest())
        if len(response.gateways) >= count:
            break
        await asyncio.sleep(0.01)
    return tuple(gateway_from_wire("gateways", status) for status in response.gateways)


async def publish(world: World) -> None:
    """A table that differs from the one before."""
    world.clock.advance_to(world.clock.now() + timedelta(minutes=1))
    world.deciders.sheds = not world.deciders.sheds
    if not world.deciders.sheds:
        observe_everything(world)
    await world.tick(Tick.REROUTE)


def observe_everything(world: World, ready: int = 1) -> None:
    """So many replicas of every model are ready in every region."""
    for region in ("east", "west"):
        pools = (a_pool(region, model) for model in ("alpha", "beta"))
        seen = [PoolObservation(pool=pool, ready=ready) for pool in pools]
        now = world.clock.now()
        world.stores.fleet.observe(an_observation(*seen, region=region, at=now), now)


async def test_a_subscriber_gets_the_whole_table_now_and_on_every_change() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        stream = await subscribed(world)
        first = await stream.read()
        table = table_from_wire("table", first.table)
        assert table.same_routes(world.stores.routing.table(table.origin))
        assert table.origin == "east"
        assert {ingress.region for ingress in table.ingresses} == {"east", "west"}
        await publish(world)
        second = await stream.read()
        assert second.table.version != first.table.version
        assert second.nonce != first.nonce
        assert second.table.entries[0].shares[0].weight_ppm == 1_000_000
        stream.cancel()


@pytest.mark.parametrize("mode", [Mode.ADVISORY, Mode.PAUSED])
async def test_beside_a_fleet_that_no_agent_reports_gateways_go_on_serving_at_home(
    mode: Mode, tmp_path: Path
) -> None:
    async with a_world(router=WaterFillingRouter()) as world:
        await world.client.set_mode(Mode.ACTIVE)
        observe_everything(world, ready=0)
        await world.tick(Tick.REROUTE)
        stream = await subscribed(world)
        shedding = (await stream.read()).table
        assert [entry.shed_ppm for entry in shedding.entries] == [1_000_000] * 6
        await world.client.set_mode(mode)
        await world.tick(Tick.REROUTE)
        left_alone = (await stream.read()).table
        stream.cancel()
    gateway = example_module("gateway_client").Gateway(
        world.client.channel, "east", "east/gw-1", tmp_path / "gateway.table"
    )
    for table, choice in ((shedding, None), (left_alone, ("east", {}))):
        gateway.table = table
        assert gateway.pick("alpha", common_pb2.TIER_BATCH, "session", {}) == choice
    for entry in left_alone.entries:
        assert entry.shed_ppm == 0
        assert "served at home, though no ready replica" in entry.reason


async def test_a_subscriber_before_the_first_table_waits_for_it() -> None:
    async with a_world() as world:
        stream = await subscribed(world)
        registry = world.plane.metrics.registry
        await until(lambda: registry.get_sample_value("heliostat_route_watchers") == 1)
        await world.tick(Tick.REROUTE)
        # The very first answer is the table: nothing was answered while there was none.
        assert (await stream.read()).table.origin_region == "east"
        stream.cancel()


async def test_acceptance_and_refusal_are_kept_per_gateway() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        one, other = await subscribed(world), await subscribed(world, gateway="gw-2")
        await say(one, await one.read())
        await say(other, await other.read(), accepted=False, detail="unknown cluster")
        first, second = await words(world, 2)
        assert (first.gateway_id, first.accepted, first.at) == ("gw-1", True, world.clock.now())
        assert (second.accepted, second.detail) == (False, "unknown cluster")
        for stream in (one, other):
            stream.cancel()


def lag_of(world: World, gateway: str) -> float | None:
    """Seconds; None where no such gateway is connected."""
    labels = {"region": "east", "gateway": gateway}
    registry = world.plane.metrics.registry
    return registry.get_sample_value("heliostat_gateway_routes_lag_seconds", labels)


async def test_a_gateway_is_behind_while_it_is_connected_and_shown_no_more_when_it_has_gone() -> (
    None
):
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        stuck, wary = await subscribed(world, gateway="stuck"), await subscribed(world)
        await say(wary, await wary.read())
        await stuck.read()
        await publish(world)
        await say(wary, await wary.read(), accepted=False)
        await until(lambda: lag_of(world, "stuck") == 60.0)
        labels = {"region": "east", "gateway": "gw-1"}
        name, registry = "heliostat_gateway_refuses_table", world.plane.metrics.registry
        await until(lambda: registry.get_sample_value(name, labels) == 1)
        for stream in (stuck, wary):
            stream.cancel()
        await until(lambda: lag_of(world, "stuck") is lag_of(world, "gw-1") is None)
        again = await subscribed(world, gateway="stuck")
        await until(lambda: lag_of(world, "stuck") == 60.0)
        await say(again, await again.read())
        await until(lambda: lag_of(world, "stuck") == 0.0)
        again.cancel()


async def test_who_only_looks_is_no_gateway() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        looks = routing_pb2.RouteSubscription(
            origin_region="east", gateway_id="cli-1", only_looks=True
        )
        stream: Stream = world.client.routing.WatchRoutes()
        await stream.write(Request(subscribe=looks))
        first = await stream.read()
        assert lag_of(world, "cli-1") is None
        await say(stream, first)
        gateway = await subscribed(world)
        await say(gateway, await gateway.read())
        await publish(world)
        assert (await stream.read()).table.version != first.table.version
        assert [word.gateway_id for word in await words(world)] == ["gw-1"]
        for one in (stream, gateway):
            one.cancel()


async def test_a_word_on_an_earlier_table_is_ignored() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        stream = await subscribed(world)
        first = await stream.read()
        await publish(world)
        second = await stream.read()
        await say(stream, first, accepted=False)
        await say(stream, second)
        (word,) = await words(world)
        assert (word.version, word.accepted) == (second.table.version, True)
        stream.cancel()


async def test_a_gateway_that_stops_talking_still_gets_tables() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        stream = await subscribed(world)
        await stream.read()
        await stream.done_writing()
        await publish(world)
        assert (await stream.read()).nonce == "2"
        stream.cancel()


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Request(), InvalidInput),
        (Request(acknowledgement=routing_pb2.RouteAcknowledgement(version="1")), InvalidInput),
        (
            Request(subscribe=routing_pb2.RouteSubscription(origin_region="x", gateway_id="g")),
            UnknownRegion,
        ),
        (Request(subscribe=routing_pb2.RouteSubscription(origin_region="east")), InvalidInput),
    ],
)
async def test_a_stream_starts_with_a_good_subscription(request_: Any, error: type) -> None:
    async with a_world() as world:
        assert type(await error_in(world.client.routing.WatchRoutes(iter([request_])))) is error


async def test_a_second_subscription_on_a_stream_is_refused() -> None:
    async with a_world() as world:
        stream = await subscribed(world)
        again = routing_pb2.RouteSubscription(origin_region="west", gateway_id="gw-1")
        await stream.write(Request(subscribe=again))
        assert type(await error_in(stream)) is InvalidInput


async def test_one_gateways_nonsense_disturbs_no_other() -> None:
    async with a_world() as world, a_channel(world.plane.address) as channel:
        await world.tick(Tick.REROUTE)
        good = await subscribed(world)
        await good.read()
        bad = Gateway(channel).routing.WatchRoutes(iter([Request()]))
        assert isinstance(await error_in(bad), InvalidInput)
        await publish(world)
        assert await good.read() is not aio.EOF
        good.cancel()


async def test_tables_can_be_read_by_origin_and_version() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        newest = await world.client.routing.GetRoutes(
            routing_pb2.GetRoutesRequest(origin_region="west")
        )
        version = newest.tables[0].version
        await publish(world)
        old = await world.client.routing.GetRoutes(
            routing_pb2.GetRoutesRequest(origin_region="west", version=version)
        )
        assert old.tables[0] == newest.tables[0]
        for bad, error in (
            (routing_pb2.GetRoutesRequest(version=version), InvalidInput),
            (routing_pb2.GetRoutesRequest(origin_region="x"), UnknownRegion),
            (routing_pb2.GetRoutesRequest(origin_region="east", version="?"), UnknownRoutingTable),
        ):
            assert type(await error_in(world.client.routing.GetRoutes(bad))) is error


async def test_a_control_plane_that_goes_away_ends_its_watches() -> None:
    async with a_world() as world:
        await world.tick(Tick.REROUTE)
        stream = await subscribed(world)
        await stream.read()
        await world.plane.stop()
        assert isinstance(await error_in(stream), Unavailable)
