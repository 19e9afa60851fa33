"""An agent and its control plane over gRPC on loopback: together, apart for an hour, and level again."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import grpc
import pytest
from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import Forbidden, InvalidSettings, NotLeader, Unavailable, Unsupported
from heliostat.model.command import CommandState, ScaleOrder
from heliostat.model.instants import Span
from heliostat.model.names import ModelName, RegionName
from heliostat.model.usage import UsageQuery
from heliostat.v1 import fleet_pb2, routing_pb2, routing_pb2_grpc, usage_pb2, usage_pb2_grpc
from services.agent.agent import Agent
from services.agent.board import RouteBoard
from services.agent.journal.routing_file import read_routing_file
from services.agent.link import Link
from services.agent.link.home import PINGS, Home
from services.agent.link.keeper import STANDS_SECONDS
from services.binding import keepalive, options_of
from services.messages import MAX_MESSAGE_BYTES
from services.translation.problems import error_of
from services.translation.usage import batch_to_wire
from tests.builders import (
    MINUTE,
    NOON,
    a_batch,
    a_catalogue,
    a_pool,
    a_series,
    a_window,
    catalogue_mapping,
)
from tests.support.agents import EAST, AgentDisk, a_command
from tests.support.control_plane import ControlPlane
from tests.support.frozen_wire import a_wire
from tests.support.linked_agents import a_control_plane, a_table, an_agent, started
from tests.support.planes import error_in
from tests.support.streams import heard
from tests.support.waiting import until

YEAR_SECONDS = 365 * 86_400.0
ALL_DAY = UsageQuery(span=Span(NOON - timedelta(days=1), NOON + timedelta(days=1)))


async def report(agent: Agent, source: str, first: int, last: int, incarnation: int = 1) -> None:
    """A local gateway reports one window a minute and hears that each is durable."""
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call = usage_pb2_grpc.UsageServiceStub(channel).ReportUsage()
        for number in range(first, last + 1):
            batch = a_batch(
                [a_window(NOON + MINUTE * number)],
                source_id=source,
                incarnation=incarnation,
                sequence=number,
            )
            await call.write(usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch)))
            answer = await heard(call)
            assert not answer.HasField("refusal"), answer
            assert answer.durable_sequence >= number
        await call.done_writing()


def without_beta() -> FleetCatalogue:
    """As a control plane has it that was not told of the model yet."""
    mapping = catalogue_mapping()
    mapping["models"] = [model for model in mapping["models"] if model["name"] != "beta"]
    return a_catalogue(mapping)


async def local_routes(agent: Agent) -> routing_pb2.RoutingTable:
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        stub = routing_pb2_grpc.RoutingServiceStub(channel)
        answer = await stub.GetRoutes(routing_pb2.GetRoutesRequest(origin_region="east"))
        return answer.tables[0]


async def test_an_order_comes_down_and_its_end_goes_up(plane: ControlPlane, agent: Agent) -> None:
    await plane.order(a_command(target=2))
    await agent.catch_up()
    now = NOON
    while not plane.words or not plane.words[-1].state.ended:
        agent.tick(now)
        await agent.catch_up()
        now += MINUTE
    assert [w.state for w in plane.words if w.state.ended] == [CommandState.APPLIED]
    assert {p.ready_replicas for p in plane.observations[-1].pools} == {0, 2}


async def test_a_control_plane_whose_host_vanished_is_noticed(plane: ControlPlane) -> None:
    """Nothing is said on the stream, and nobody closes it."""
    second = timedelta(seconds=1)
    async with a_wire(plane.port) as wire:
        pings = keepalive(ping_every=second, answered_within=second)
        home = Home([f"127.0.0.1:{wire.port}"], None, pings=pings)
        request = fleet_pb2.WatchCommandsRequest(region="east", agent_id="agent")
        stream = home.fleet().WatchCommands(request)
        await stream.wait_for_connection()
        wire.freeze()
        assert isinstance(await error_in(stream), Unavailable)
        await home.close()


def test_agents_ping_as_often_as_servers_let_them() -> None:
    pings, limits = dict(PINGS), dict(options_of(MAX_MESSAGE_BYTES))
    least = limits["grpc.http2.min_recv_ping_interval_without_data_ms"]
    assert least < pings["grpc.keepalive_time_ms"] <= 30_000
    assert pings["grpc.keepalive_timeout_ms"] <= 10_000
    assert pings["grpc.http2.max_pings_without_data"] == 0


async def test_an_order_is_worked_on_at_once_and_so_is_its_cancellation(
    plane: ControlPlane, agent: Agent
) -> None:
    """The next regular tick is a year away."""
    stop = asyncio.Event()
    ticking = asyncio.create_task(agent.keep_ticking(lambda: NOON, YEAR_SECONDS, stop))
    await plane.order(a_command(target=2))
    await until(lambda: bool(plane.words))
    assert plane.words[-1].state is CommandState.LEASED
    await plane.order(a_command(target=2, state=CommandState.CANCELLED, revision=2))
    await until(lambda: plane.words[-1].state is CommandState.CANCELLED)
    stop.set()
    await ticking


async def test_what_comes_back_changed_by_the_agents_own_words_is_nothing_to_do(
    plane: ControlPlane, agent: Agent
) -> None:
    await plane.order(a_command(target=2))
    await agent.catch_up()
    await until(agent.link.commands_came.is_set)
    agent.link.commands_came.clear()
    for revision in (2, 3):  # when the later one is here, the earlier one has been dealt with
        await plane.order(a_command(target=2, revision=revision))
        await until(lambda: agent.journal.open_commands()[0].revision == revision)  # noqa: B023
    assert not agent.link.commands_came.is_set()


async def test_a_cancelled_order_is_let_go(plane: ControlPlane, agent: Agent) -> None:
    await plane.order(a_command(target=2))
    await agent.catch_up()
    await plane.order(a_command(target=2, state=CommandState.CANCELLED, revision=2))
    await agent.catch_up()
    agent.tick(NOON)
    await agent.catch_up()
    assert plane.words[-1].state is CommandState.CANCELLED


async def test_an_hour_without_control_plane_loses_nothing(
    plane: ControlPlane, agent: Agent
) -> None:
    await plane.publish(a_table("7"))
    await agent.catch_up()
    await plane.stop()
    for source in ("east/gateway-1", "east/gateway-2"):
        await report(agent, source, 1, 60)
    for minute in range(60):
        agent.tick(NOON + MINUTE * minute)
    with pytest.raises(Unavailable):
        await agent.catch_up(timeout_seconds=0.5)
    assert (await local_routes(agent)).version == "7"
    await plane.start()
    await agent.catch_up()
    assert plane.offered(ALL_DAY) == 2 * 60 * 10
    assert agent.journal.usage.waiting() == 0
    newest = plane.observations[-1].observed_at.seconds
    assert newest == int((NOON + 59 * MINUTE).timestamp())


async def test_what_was_answered_to_a_gateway_survives_the_agent(
    plane: ControlPlane, tmp_path: Path
) -> None:
    async with started(tmp_path, "127.0.0.1:1") as first:
        await report(first, "east/gateway-1", 1, 5)
    async with started(tmp_path, plane.address) as second:
        await second.catch_up()
        await report(second, "east/gateway-1", 3, 5)  # a replay
        await second.catch_up()
    assert plane.offered(ALL_DAY) == 50


async def test_a_table_that_nobody_could_follow_is_refused_and_the_last_good_one_stays(
    plane: ControlPlane, agent: Agent, tmp_path: Path
) -> None:
    await plane.publish(a_table("7"))
    await agent.catch_up()
    await plane.publish(a_table("8", weight_to=RegionName("atlantis")))
    await agent.catch_up()
    await plane.publish(a_table("9"))
    await agent.catch_up()
    verdicts = [(word.version, word.accepted) for word in plane.judgements]
    assert verdicts[:2] == [("7", True), ("8", False)]
    assert "atlantis" in plane.judgements[1].detail
    assert (await local_routes(agent)).version == "9"
    kept = read_routing_file(tmp_path / "routes.json")
    assert kept is not None
    assert kept.version == "9"


async def test_a_table_that_could_not_be_kept_is_not_refused_and_comes_again(
    plane: ControlPlane, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    await agent.catch_up()
    file = agent.journal._file
    file.read("PRAGMA query_only=1")
    await plane.publish(a_table("7"))
    await until(lambda: "link_broken" in caplog.messages)
    file.read("PRAGMA query_only=0")
    await agent.catch_up()
    assert [(word.version, word.accepted) for word in plane.judgements] == [("7", True)]
    assert (await local_routes(agent)).version == "7"


async def test_a_follower_sends_us_to_the_leader(plane: ControlPlane, tmp_path: Path) -> None:
    follower = a_control_plane()
    follower.raising = NotLeader("I follow", leader=plane.address)
    await follower.start()
    async with started(tmp_path, follower.address) as agent:
        agent.tick(NOON)
        async with asyncio.timeout(60):
            await plane.observed.wait()
        assert agent.link.address == plane.address
    await follower.stop()


async def test_when_one_task_moves_to_the_new_leader_all_the_others_follow(
    plane: ControlPlane, tmp_path: Path
) -> None:
    """A leader that was paused keeps its open streams and refuses what is new."""
    paused = a_control_plane()
    await paused.start()
    async with started(tmp_path, paused.address) as agent:
        await paused.publish(a_table("7"))
        await agent.catch_up()
        paused.raising = NotLeader("I follow", leader=plane.address)
        agent.tick(NOON)
        async with asyncio.timeout(60):
            await plane.observed.wait()
        await plane.order(a_command(target=2))
        await plane.publish(a_table("8"))
        await agent.catch_up()
        assert [command.command_id for command in agent.journal.open_commands()] == ["000000000001"]
        assert (await local_routes(agent)).version == "8"
    await paused.stop()


async def test_a_refused_agent_asks_less_and_less_often(
    plane: ControlPlane, tmp_path: Path
) -> None:
    """The call is taken before it is refused; being connected begins no new count."""
    plane.raising = Forbidden("your certificate is for another region")
    asked_often, waits = asyncio.Event(), list[float]()

    async def at_once(seconds: float) -> None:
        if seconds == STANDS_SECONDS:
            await asyncio.Event().wait()
        waits.append(seconds)
        if len(waits) == 12:
            asked_often.set()
            await asyncio.Event().wait()

    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    link = Link(
        journal=journal,
        board=RouteBoard(None),
        home=Home([plane.address], None),
        catalogue=disk.catalogue,
        region=EAST,
        agent_id="agent",
        chance=Random(1),
        pause=at_once,
    )
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(60):
        await asked_often.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    disk.close()
    assert waits[:6] == sorted(waits[:6])
    assert min(waits[7:]) >= 15
    assert not link.up


async def test_a_batch_that_is_refused_for_good_holds_up_no_other(
    plane: ControlPlane, agent: Agent
) -> None:
    plane.refusing_sources.add("east/bad")
    await report(agent, "east/bad", 1, 2)
    await report(agent, "east/good", 1, 2)
    await agent.catch_up()
    assert plane.offered(ALL_DAY) == 20
    assert agent.journal.usage.waiting() == 0


async def test_usage_refused_while_the_control_planes_clock_was_off_is_sent_once_more(
    plane: ControlPlane, agent: Agent
) -> None:
    plane.clock_off = True
    await report(agent, "east/gateway-1", 1, 2)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 0
    plane.clock_off = False
    agent.tick(NOON + MINUTE * 61)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 10, "the second window is not an hour old yet"
    agent.tick(NOON + MINUTE * 62)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 20


async def test_usage_refused_for_its_instants_again_stays_apart(
    plane: ControlPlane, agent: Agent
) -> None:
    plane.clock_off = True
    await report(agent, "east/gateway-1", 1, 1)
    for hour in range(1, 4):
        await agent.link.send_all()
        agent.tick(NOON + timedelta(hours=hour, minutes=2))
    await agent.link.send_all()
    plane.clock_off = False
    assert agent.journal.usage.send_again(NOON + timedelta(days=1)) == 0
    assert agent.journal.usage.waiting() == 0


async def test_a_model_that_the_control_plane_does_not_know_yet_holds_up_no_other(
    plane: ControlPlane, agent: Agent
) -> None:
    """Its windows wait apart, and are sent when the control plane's catalogue has come."""
    plane.catalogue = without_beta()
    beta = replace(a_series(), model=ModelName("beta"))
    windows = [a_window(NOON), a_window(NOON, series=beta), a_window(NOON + MINUTE, series=beta)]
    agent.journal.append_usage(windows)
    await report(agent, "east/gateway-1", 1, 2)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 30
    assert agent.journal.usage.kept_apart() == 1
    agent.tick(NOON + MINUTE * 11)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 30
    plane.catalogue = a_catalogue()
    agent.tick(NOON + MINUTE * 20)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 30, "the newest window is not twice ten minutes old yet"
    agent.tick(NOON + MINUTE * 21)
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 50
    assert (agent.journal.usage.waiting(), agent.journal.usage.kept_apart()) == (0, 0)


async def test_pools_that_the_control_plane_does_not_know_yet_hide_no_others(
    plane: ControlPlane, agent: Agent
) -> None:
    plane.catalogue = without_beta()
    agent.tick(NOON)
    await agent.link.send_all(timeout_seconds=5)
    seen = plane.observations[-1]
    assert {pool.pool.model for pool in seen.pools} == {"alpha"}
    plane.catalogue = a_catalogue()
    agent.tick(NOON + MINUTE)
    await agent.link.send_all()
    assert {pool.pool.model for pool in plane.observations[-1].pools} == {"alpha", "beta"}


async def test_a_model_that_stays_unknown_is_tried_less_and_less_often_and_stays_apart(
    plane: ControlPlane, agent: Agent
) -> None:
    plane.catalogue = without_beta()
    beta = replace(a_series(), model=ModelName("beta"))
    agent.journal.append_usage([a_window(NOON, series=beta)])
    tried = []
    for hours in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256):
        await agent.link.send_all()
        tried.append(agent.journal.usage.send_again(NOON + timedelta(hours=hours)))
        for _ in range(9):
            await agent.link.send_all()
            tried[-1] += agent.journal.usage.send_again(NOON + timedelta(hours=hours))
    assert tried == [0, 3, 1, 1, 1, 1, 1, 1, 1, 0]
    assert (agent.journal.usage.waiting(), agent.journal.usage.kept_apart()) == (0, 1)


async def test_a_word_that_is_refused_is_kept_and_holds_up_no_other(
    plane: ControlPlane, agent: Agent
) -> None:
    first, second = (
        a_command(number=n, order=ScaleOrder(pool=p, target_replicas=2))
        for n, p in enumerate((a_pool(), a_pool(model="beta")), start=1)
    )
    plane.refusing_words = {first.command_id}
    await plane.order(first, second)
    await agent.link.receive_all()
    agent.tick(NOON)
    await until(lambda: {w.command_id for w in plane.words} == {second.command_id})
    plane.refusing_words.clear()
    await agent.catch_up()
    assert {w.command_id for w in plane.words} == {first.command_id, second.command_id}


async def test_words_on_commands_of_a_region_that_another_agent_holds_are_dropped(
    plane: ControlPlane, agent: Agent
) -> None:
    order = ScaleOrder(pool=a_pool(), target_replicas=2)
    plane.held_by_another = True
    await plane.order(a_command(number=1, order=order))
    await agent.link.receive_all()
    agent.tick(NOON)
    await agent.link.send_all()
    assert (plane.words, agent.journal.unsent_acks()) == ([], ())


async def test_a_control_plane_that_forgot_gets_what_is_left_without_a_gap(
    plane: ControlPlane, agent: Agent
) -> None:
    await report(agent, "east/gateway-1", 1, 3)
    await agent.catch_up()
    plane.forget_usage()
    plane.history.record(
        [
            a_batch(
                [a_window(NOON + MINUTE)],
                source_id="east/gateway-1",
                incarnation=agent.journal.usage.incarnation,
            )
        ]
    )
    await report(agent, "east/gateway-1", 4, 5)
    await agent.catch_up()
    assert plane.offered(ALL_DAY) == 30


async def test_a_batch_refused_amid_a_backlog_costs_no_other_of_its_source(
    plane: ControlPlane, agent: Agent
) -> None:
    """All that follow it on the stream skip its number; they are sent again, not replaced by empty ones."""
    await report(agent, "east/gateway-1", 1, 1)
    await agent.link.send_all()
    await plane.stop()
    await report(agent, "east/gateway-1", 2, 9)
    await report(agent, "east/gateway-2", 1, 3)
    plane.refusing_sequences = {3}
    await plane.start()
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 10 * (9 + 3 - 2)
    assert agent.journal.usage.waiting() == 0


async def test_a_control_plane_that_forgot_gets_the_whole_backlog_behind_the_gap(
    plane: ControlPlane, agent: Agent
) -> None:
    await report(agent, "east/gateway-1", 1, 5)
    await agent.link.send_all()
    await plane.stop()
    await report(agent, "east/gateway-1", 6, 12)
    plane.forget_usage()
    first = a_batch(
        [a_window(NOON + MINUTE)],
        source_id="east/gateway-1",
        incarnation=agent.journal.usage.incarnation,
    )
    plane.history.record([first])
    await plane.start()
    await agent.link.send_all()
    assert plane.offered(ALL_DAY) == 10 * (1 + 7)
    assert agent.journal.usage.waiting() == 0


async def test_gateways_of_other_regions_and_unknown_models_are_refused_by_name(
    agent: Agent,
) -> None:
    wrong = {
        "FORBIDDEN": a_batch([a_window()], source_id="west/gateway-1"),
        "UNKNOWN_MODEL": a_batch(
            [a_window(series=replace(a_series(), model=ModelName("gamma")))],
            source_id="east/gateway-1",
        ),
        "SEQUENCE_GAP": a_batch([a_window()], source_id="east/gateway-9", sequence=7),
    }
    await report(agent, "east/gateway-9", 1, 2)
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call = usage_pb2_grpc.UsageServiceStub(channel).ReportUsage()
        reasons = []
        for batch in wrong.values():
            await call.write(usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch)))
            reasons.append((await heard(call)).refusal.reason)
        await call.done_writing()
    assert reasons == list(wrong)


async def test_requests_that_arrived_elsewhere_are_reported_elsewhere(agent: Agent) -> None:
    """A control plane refuses an agent that speaks for another region, and all that waits behind it."""
    foreign = a_window(series=replace(a_series(), origin=RegionName("west")))
    batch = a_batch([a_window(), foreign], source_id="east/gateway-1")
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call = usage_pb2_grpc.UsageServiceStub(channel).ReportUsage()
        await call.write(usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch)))
        answer = await heard(call)
        await call.done_writing()
    assert (answer.refusal.reason, "west" in answer.refusal.message) == ("FORBIDDEN", True)
    assert agent.journal.usage.waiting() == 0


async def test_what_only_a_control_plane_knows_is_answered_with_where_to_ask(
    plane: ControlPlane, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        usage = usage_pb2_grpc.UsageServiceStub(channel)
        with pytest.raises(aio.AioRpcError) as asked:
            await usage.QueryUsage(usage_pb2.QueryUsageRequest())
        with pytest.raises(aio.AioRpcError) as watched:
            await usage.StreamUsage(usage_pb2.StreamUsageRequest()).read()
    for caught in (asked, watched):
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        error = error_of(caught.value)
        assert isinstance(error, Unsupported)
        assert plane.address in error.remedy
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_watching_gateway_gets_every_change(plane: ControlPlane, agent: Agent) -> None:
    await plane.publish(a_table("7"))
    await agent.catch_up()
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call = routing_pb2_grpc.RoutingServiceStub(channel).WatchRoutes()
        subscribe = routing_pb2.RouteSubscription(origin_region="east", gateway_id="gateway-1")
        await call.write(routing_pb2.WatchRoutesRequest(subscribe=subscribe))
        versions = [(await heard(call)).table.version]
        await plane.publish(a_table("8"))
        versions.append((await heard(call)).table.version)
        call.cancel()
    assert versions == ["7", "8"]


def refusing(agent: Agent) -> float | None:
    name, labels = "heliostat_agent_refusing_gateways", {"region": "east"}
    return agent.metrics.registry.get_sample_value(name, labels)


async def test_a_gateway_that_refuses_is_counted_until_it_accepts_or_goes(
    plane: ControlPlane, agent: Agent
) -> None:
    await plane.publish(a_table("7"))
    await agent.catch_up()
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call = routing_pb2_grpc.RoutingServiceStub(channel).WatchRoutes()
        subscribe = routing_pb2.RouteSubscription(origin_region="east", gateway_id="gateway-1")
        await call.write(routing_pb2.WatchRoutesRequest(subscribe=subscribe))
        assert refusing(agent) == 0
        for accepted, count in ((False, 1), (False, 1), (True, 0), (False, 1)):
            word = routing_pb2.RouteAcknowledgement(version="7", accepted=accepted)
            await call.write(routing_pb2.WatchRoutesRequest(acknowledgement=word))
            await until(lambda: refusing(agent) == count)  # noqa: B023
        call.cancel()
        await until(lambda: refusing(agent) == 0)


async def test_a_local_port_that_is_taken_is_a_setting_to_change(tmp_path: Path) -> None:
    async with started(tmp_path / "first", "127.0.0.1:1") as first:
        taken = f"127.0.0.1:{first.local_port}"
        second = an_agent(tmp_path / "second", "127.0.0.1:1", local_listen=taken)
        with pytest.raises(InvalidSettings, match="HELIOSTAT_AGENT_LOCAL_LISTEN"):
            await second.start()
        await second.stop(0)
