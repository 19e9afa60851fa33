"""Orders over the wire: absolute, idempotent, explained, and carried out by whoever may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import (
    CommandFinished,
    HeliostatError,
    InvalidInput,
    ModeForbids,
    OverrideExpired,
    RequestIdReused,
    StaleEtag,
    UnknownCommand,
    UnknownOverride,
    UnknownRegion,
)
from heliostat.model.command import Acknowledgement, CommandState, RefusalKind, ScaleOrder
from heliostat.model.fleet import LeadTimeSample, PoolObservation, Signal, StartKind
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.v1 import common_pb2, fleet_pb2
from services.control_plane.ticks import Tick
from services.translation.commands import command_from_wire, word_to_wire
from services.translation.enums import COMMAND_STATE
from services.translation.fields import instant_to_wire
from services.translation.fleet import etags_from_wire, fleet_from_wire, observation_to_wire
from services.translation.names import pool_to_wire
from tests.builders import NOON, a_pool, an_observation
from tests.support.planes import World, a_world, error_in
from tests.support.streams import heard

POOL = a_pool()
OTHER = a_pool(model="beta")


def a_scale(**changes: Any) -> fleet_pb2.ScalePoolRequest:
    values: dict[str, Any] = {
        "pool": pool_to_wire(POOL),
        "target_replicas": 4,
        "reason": "a launch",
        "request_id": "r-1",
        "expires_at": instant_to_wire(NOON + timedelta(hours=2)),
    }
    chosen = {name: value for name, value in (values | changes).items() if value is not None}
    return fleet_pb2.ScalePoolRequest(**chosen)


async def scale(world: World, **changes: Any) -> fleet_pb2.ScalePoolResponse:
    return await world.client.fleet.ScalePool(a_scale(**changes))


async def observe(world: World, ready: int = 2, **changes: Any) -> fleet_pb2.ReportFleetResponse:
    seen = PoolObservation(pool=POOL, desired=ready, ready=ready, utilisation=0.5)
    observation = an_observation(seen, at=world.clock.now(), **changes)
    request = fleet_pb2.ReportFleetRequest(observation=observation_to_wire(observation))
    return await world.client.fleet.ReportFleet(request)


async def ack(world: World, command_id: str, state: CommandState, **more: Any) -> Any:
    word = Acknowledgement(
        command_id=command_id, region=RegionName("east"), state=state, at=world.clock.now(), **more
    )
    return await world.client.fleet.AcknowledgeCommand(word_to_wire(word))


def watched(world: World, **changes: Any) -> Any:
    values = {"region": "east", "agent_id": "agent-1"}
    return world.client.fleet.WatchCommands(fleet_pb2.WatchCommandsRequest(**(values | changes)))


async def next_commands(stream: Any) -> list[fleet_pb2.Command]:
    """The next commands, signs of life aside."""
    while True:
        response = await stream.read()
        if response.commands:
            return list(response.commands)


async def test_an_order_is_a_command_with_its_author_and_reason() -> None:
    async with a_world() as world:
        response = await scale(world)
        command = command_from_wire("command", response.command)
        assert command.order == ScaleOrder(pool=POOL, target_replicas=4)
        assert (command.author, command.reason) == ("admin:local", "a launch")
        assert command.state is CommandState.PENDING
        assert not response.overrides
        records = world.stores.audit.records(Span(NOON, NOON + timedelta(seconds=1)))
        assert [record.author for record in records] == ["admin:local"]


async def test_in_active_mode_an_order_is_an_override_until_it_expires() -> None:
    async with a_world() as world:
        await world.client.set_mode(Mode.ACTIVE)
        (override,) = (await scale(world)).overrides
        assert override.target_replicas == 4
        listed = await world.client.fleet.ListOverrides(fleet_pb2.ListOverridesRequest())
        assert list(listed.overrides) == [override]
        west = fleet_pb2.ListOverridesRequest(region="west")
        assert not (await world.client.fleet.ListOverrides(west)).overrides
        cancel = fleet_pb2.CancelOverrideRequest(override_id=override.override_id)
        await world.client.fleet.CancelOverride(cancel)
        listed = await world.client.fleet.ListOverrides(fleet_pb2.ListOverridesRequest())
        assert not listed.overrides


async def test_the_same_request_twice_is_one_command() -> None:
    async with a_world() as world:
        first, again = await scale(world), await scale(world)
        assert first.command == again.command
        error = await error_in(world.client.fleet.ScalePool(a_scale(target_replicas=9)))
        assert type(error) is RequestIdReused


async def test_a_dry_run_stores_nothing() -> None:
    async with a_world() as world:
        response = await scale(world, validate_only=True, request_id="")
        assert response.command.command_id == ""
        assert not (await world.client.fleet.ListCommands(fleet_pb2.ListCommandsRequest())).commands


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"pool": None}, InvalidInput, "pool"),
        ({"pool": common_pb2.PoolKey(region="east", model="alpha")}, InvalidInput, "pool.vm_type"),
        (
            {"pool": common_pb2.PoolKey(region="mars", model="alpha", vm_type="small")},
            UnknownRegion,
            "pool",
        ),
        ({"target_replicas": None}, InvalidInput, "target_replicas"),
        ({"target_replicas": -1}, InvalidInput, "target_replicas"),
        ({"target_replicas": 10**6}, InvalidInput, "target_replicas"),
        ({"reason": ""}, InvalidInput, "reason"),
        ({"request_id": ""}, InvalidInput, "request_id"),
        ({"expires_at": None}, InvalidInput, "expires_at"),
        ({"expires_at": instant_to_wire(NOON)}, OverrideExpired, ""),
        ({"etag": "nonsense"}, StaleEtag, ""),
    ],
)
async def test_a_bad_order_is_refused_with_its_field_and_audited(
    changes: dict[str, Any], error: type[HeliostatError], field: str
) -> None:
    async with a_world() as world:
        raised = await error_in(world.client.fleet.ScalePool(a_scale(**changes)))
        assert type(raised) is error
        assert getattr(raised, "field", "") == field
        (record,) = world.stores.audit.records(Span(NOON, NOON + timedelta(seconds=1)))
        assert (record.action, record.author) == ("scale-pool", "admin:local")
        assert record.outcome.startswith("refused: ")


async def test_the_fleet_shows_every_pool_with_the_etag_that_an_order_needs() -> None:
    async with a_world() as world:
        assert (await observe(world)).newest
        response = await world.client.fleet.GetFleet(fleet_pb2.GetFleetRequest(regions=["east"]))
        fleet, etags = fleet_from_wire(response), etags_from_wire(response)
        assert fleet.state(POOL).signal is Signal.FRESH
        assert fleet.state(OTHER).signal is Signal.MISSING
        assert {pool.region for pool in etags} == {"east"}
        await scale(world, etag=etags[POOL])
        error = await error_in(
            world.client.fleet.ScalePool(a_scale(etag=etags[POOL], request_id="r-2"))
        )
        assert type(error) is StaleEtag


async def test_an_old_observation_changes_nothing() -> None:
    async with a_world() as world:
        await observe(world)
        assert not (await observe(world, ready=9)).newest


async def test_an_observation_from_the_future_is_refused() -> None:
    async with a_world() as world:
        late = an_observation(at=NOON + timedelta(hours=1))
        request = fleet_pb2.ReportFleetRequest(observation=observation_to_wire(late))
        error = await error_in(world.client.fleet.ReportFleet(request))
        assert isinstance(error, InvalidInput)
        assert error.field == "observation.observed_at"


async def test_a_lead_time_from_the_future_is_refused_because_it_would_never_grow_old() -> None:
    sample = LeadTimeSample(
        pool=POOL,
        start_kind=StartKind.COLD,
        lead_time=timedelta(minutes=8),
        ready_at=NOON + timedelta(days=1),
    )
    async with a_world() as world:
        seen = observation_to_wire(an_observation(lead_times=(sample,)))
        request = fleet_pb2.ReportFleetRequest(observation=seen)
        error = await error_in(world.client.fleet.ReportFleet(request))
        assert isinstance(error, InvalidInput)
        assert error.field == "observation.lead_times[0].ready_at"


@pytest.mark.parametrize("name", ["x" * 9_999, "é" * 9_999, "x" * 10**6])
async def test_a_name_without_end_is_answered_with_a_typed_error(name: str) -> None:
    async with a_world() as world:
        request = fleet_pb2.GetFleetRequest(regions=[name])
        assert isinstance(
            await error_in(world.client.fleet.GetFleet(request)), UnknownRegion | InvalidInput
        )


async def test_an_agent_gets_what_waits_and_what_comes() -> None:
    async with a_world() as world:
        await scale(world)
        stream = watched(world)
        (first,) = await next_commands(stream)
        assert first.state == COMMAND_STATE.to_wire(CommandState.LEASED)
        await scale(world, request_id="r-2", pool=pool_to_wire(OTHER))
        (second,) = await next_commands(stream)
        assert second.request_id == "r-2"
        stream.cancel()


async def test_a_command_goes_to_one_agent_while_its_lease_lasts() -> None:
    async with a_world() as world:
        await scale(world)
        stream = watched(world)
        await next_commands(stream)
        other = watched(world, agent_id="agent-2")
        assert not (await other.read()).commands
        world.clock.advance_to(NOON + timedelta(minutes=1))
        stream.cancel()
        await scale(world, request_id="r-2", pool=pool_to_wire(OTHER))
        assert {c.request_id for c in await next_commands(other)} == {"r-1", "r-2"}
        other.cancel()


async def test_the_same_agent_gets_its_commands_again_after_a_restart() -> None:
    async with a_world() as world:
        await scale(world)
        for _ in range(2):
            stream = watched(world)
            assert len(await next_commands(stream)) == 1
            stream.cancel()


async def test_a_cancelled_command_reaches_its_agent() -> None:
    async with a_world() as world:
        await scale(world)
        stream = watched(world)
        (command,) = await next_commands(stream)
        cancel = fleet_pb2.CancelCommandRequest(command_id=command.command_id, etag=command.etag)
        await world.client.fleet.CancelCommand(cancel)
        (ended,) = await next_commands(stream)
        assert ended.state == COMMAND_STATE.to_wire(CommandState.CANCELLED)
        stream.cancel()


async def test_a_command_that_was_cancelled_while_its_agent_was_away_is_sent_on_return() -> None:
    async with a_world() as world:
        await scale(world)
        stream = watched(world)
        (command,) = await next_commands(stream)
        stream.cancel()
        cancel = fleet_pb2.CancelCommandRequest(command_id=command.command_id)
        await world.client.fleet.CancelCommand(cancel)
        again = watched(world, open_command_ids=[command.command_id, "never-heard-of"])
        (ended,) = await next_commands(again)
        assert ended.state == COMMAND_STATE.to_wire(CommandState.CANCELLED)
        again.cancel()


async def test_a_command_that_is_cancelled_while_another_name_has_it_reaches_who_carries_it_out() -> (
    None
):
    """An agent restarted under another name on the same journal; its old name has the lease for a while."""
    async with a_world() as world:
        await scale(world)
        stream = watched(world)
        (command,) = await next_commands(stream)
        stream.cancel()
        renamed = watched(world, agent_id="agent-2", open_command_ids=[command.command_id])
        assert not (await heard(renamed)).commands
        cancel = fleet_pb2.CancelCommandRequest(command_id=command.command_id)
        await world.client.fleet.CancelCommand(cancel)
        async with asyncio.timeout(30):
            (ended,) = await next_commands(renamed)
        assert ended.state == COMMAND_STATE.to_wire(CommandState.CANCELLED)
        renamed.cancel()


async def test_a_command_that_another_agent_carried_out_is_sent_with_its_end() -> None:
    async with a_world() as world:
        command = (await scale(world)).command
        await ack(world, command.command_id, CommandState.APPLIED, detail="4 ready")
        returning = watched(world, open_command_ids=[command.command_id])
        (ended,) = await next_commands(returning)
        assert ended.state == COMMAND_STATE.to_wire(CommandState.APPLIED)
        assert ended.outcome == "4 ready"
        returning.cancel()


async def test_progress_and_end_are_seen_by_those_who_watch() -> None:
    async with a_world() as world:
        command = (await scale(world)).command
        watch = world.client.fleet.WatchCommand(
            fleet_pb2.WatchCommandRequest(command_id=command.command_id)
        )
        states = [COMMAND_STATE.from_wire("s", (await heard(watch)).command.state)]
        await ack(world, command.command_id, CommandState.LEASED)
        states.append(COMMAND_STATE.from_wire("s", (await heard(watch)).command.state))
        await ack(world, command.command_id, CommandState.APPLIED, detail="4 ready")
        states.append(COMMAND_STATE.from_wire("s", (await heard(watch)).command.state))
        assert states == [CommandState.PENDING, CommandState.LEASED, CommandState.APPLIED]
        assert not await watch.read()
        again = await ack(world, command.command_id, CommandState.APPLIED)
        assert again.command.outcome == "4 ready"


async def test_a_refusal_for_lack_of_capacity_caps_the_next_plans() -> None:
    async with a_world() as world:
        await observe(world)
        command = (await scale(world)).command
        await ack(world, command.command_id, CommandState.REFUSED, refusal=RefusalKind.NO_CAPACITY)
        fleet = await world.client.fleet.GetFleet(fleet_pb2.GetFleetRequest())
        assert [(d.vm_type, d.most_replicas) for d in fleet.denials] == [("small", 2)]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"command_id": "0"}, UnknownCommand),
        ({"command_id": ""}, InvalidInput),
        ({"region": "west"}, UnknownCommand),
        ({"region": "mars"}, UnknownRegion),
        ({"state": 0}, InvalidInput),
        ({"state": fleet_pb2.COMMAND_STATE_PENDING}, InvalidInput),
        ({"refusal": fleet_pb2.REFUSAL_KIND_QUOTA}, InvalidInput),
    ],
)
async def test_a_bad_word_on_a_command_is_refused(changes: dict[str, Any], error: type) -> None:
    async with a_world() as world:
        command = (await scale(world)).command
        values: dict[str, Any] = {
            "command_id": command.command_id,
            "region": "east",
            "state": fleet_pb2.COMMAND_STATE_LEASED,
            "at": instant_to_wire(NOON),
        }
        request = fleet_pb2.AcknowledgeCommandRequest(**(values | changes))
        assert type(await error_in(world.client.fleet.AcknowledgeCommand(request))) is error


async def test_a_word_from_a_clock_that_runs_ahead_ends_the_command_now() -> None:
    async with a_world() as world:
        command_id = (await scale(world)).command.command_id
        await next_commands(watched(world))
        word = Acknowledgement(
            command_id=command_id,
            region=RegionName("east"),
            state=CommandState.APPLIED,
            at=NOON + timedelta(days=1),
        )
        answer = await world.client.fleet.AcknowledgeCommand(word_to_wire(word))
        command = command_from_wire("command", answer.command)
        assert (command.state, command.ended_at) == (CommandState.APPLIED, NOON)


async def test_commands_are_listed_in_pages_by_filter() -> None:
    async with a_world() as world:
        for number in range(5):
            world.clock.advance_to(NOON + timedelta(minutes=number))
            await scale(world, request_id=f"r-{number}", pool=pool_to_wire(OTHER))
        request = fleet_pb2.ListCommandsRequest(region="east", page_size=2)
        seen: list[str] = []
        while True:
            page = await world.client.fleet.ListCommands(request)
            seen += [command.request_id for command in page.commands]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
            assert page.total_size == 5
        assert seen == [f"r-{number}" for number in range(5)]
        request = fleet_pb2.ListCommandsRequest(region="east", page_size=2, newest_first=True)
        newest = await world.client.fleet.ListCommands(request)
        request.page_token = newest.next_page_token
        after = await world.client.fleet.ListCommands(request)
        found = [command.request_id for command in (*newest.commands, *after.commands)]
        assert found == ["r-4", "r-3", "r-2", "r-1"]
        pending = fleet_pb2.ListCommandsRequest(states=[fleet_pb2.COMMAND_STATE_PENDING])
        listed = await world.client.fleet.ListCommands(pending)
        assert [command.request_id for command in listed.commands] == ["r-4"]


async def test_what_ended_cannot_be_cancelled_and_what_never_was_cannot_be_found() -> None:
    async with a_world() as world:
        fleet = world.client.fleet
        command_id = (await scale(world)).command.command_id
        stale = fleet_pb2.CancelCommandRequest(command_id=command_id, etag="7")
        assert type(await error_in(fleet.CancelCommand(stale))) is StaleEtag
        cancel = fleet_pb2.CancelCommandRequest(command_id=command_id)
        await fleet.CancelCommand(cancel)
        assert type(await error_in(fleet.CancelCommand(cancel))) is CommandFinished
        nothing = fleet_pb2.GetCommandRequest(command_id="0")
        assert type(await error_in(fleet.GetCommand(nothing))) is UnknownCommand
        nobody = fleet_pb2.WatchCommandRequest(command_id="0")
        assert type(await error_in(fleet.WatchCommand(nobody))) is UnknownCommand
        never = fleet_pb2.CancelOverrideRequest(override_id="0")
        assert type(await error_in(fleet.CancelOverride(never))) is UnknownOverride


async def test_a_redeployment_names_two_pools_of_one_kind() -> None:
    async with a_world() as world:
        await world.client.set_mode(Mode.ACTIVE)
        order = fleet_pb2.RedeployOrder(
            source=pool_to_wire(POOL),
            source_target_replicas=1,
            destination=pool_to_wire(OTHER),
            destination_target_replicas=3,
        )
        request = fleet_pb2.RedeployPoolRequest(
            order=order,
            reason="beta is busy",
            request_id="r-1",
            expires_at=instant_to_wire(NOON + timedelta(hours=1)),
        )
        response = await world.client.fleet.RedeployPool(request)
        assert response.command.redeploy == order
        assert len(response.overrides) == 2
        request.order.destination.vm_type = "big"
        request.request_id = "r-2"
        error = await error_in(world.client.fleet.RedeployPool(request))
        assert type(error) is InvalidInput
        request.order.destination.vm_type = "tiny"
        error = await error_in(world.client.fleet.RedeployPool(request))
        assert getattr(error, "field", "") == "order.destination"


async def test_a_paused_region_takes_no_orders() -> None:
    async with a_world() as world:
        await world.client.set_mode(Mode.PAUSED, "east")
        assert type(await error_in(world.client.fleet.ScalePool(a_scale()))) is ModeForbids


async def test_an_overdue_command_ends_and_its_watchers_hear_of_it() -> None:
    async with a_world() as world:
        command = (await scale(world)).command
        watch = world.client.fleet.WatchCommand(
            fleet_pb2.WatchCommandRequest(command_id=command.command_id)
        )
        await heard(watch)
        world.clock.advance_to(NOON + timedelta(hours=3))
        await world.tick(Tick.SETTLE)
        assert (await heard(watch)).command.state == fleet_pb2.COMMAND_STATE_EXPIRED


async def test_many_orders_at_once_are_all_kept() -> None:
    async with a_world() as world:
        orders = (scale(world, request_id=f"r-{n}") for n in range(20))
        answers = await asyncio.gather(*orders)
        assert len({answer.command.command_id for answer in answers}) == 20


@pytest.mark.parametrize("bad", ["a\0b", "x" * 10_000])
@pytest.mark.parametrize("name", ["reason", "request_id"])
async def test_a_text_that_no_store_keeps_is_refused_by_name(name: str, bad: str) -> None:
    async with a_world() as world:
        error = await error_in(scale(world, **{name: bad}))
        assert isinstance(error, InvalidInput)
        assert error.field == name
