"""Two agents for one region: one speaks for it, the other is told who does, and takes over in silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import InvalidInput, RegionHeld, Unavailable
from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandState,
    RefusalKind,
    ScaleOrder,
)
from heliostat.model.fleet import PoolObservation
from heliostat.model.holding import AgentLife
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.ports.decisions import Decision
from heliostat.v1 import fleet_pb2
from services.translation.commands import word_to_wire
from services.translation.fleet import holds_from_wire, observation_to_wire
from services.translation.holds import life_to_wire
from tests.builders import MINUTE, NOON, a_pool, an_observation
from tests.support.agents import a_command
from tests.support.linked_agents import started
from tests.support.planes import World, a_world, error_in
from tests.support.streams import heard

FIRST = AgentLife(agent_id="east/agent", journal_id=11, incarnation=1)
SECOND = AgentLife(agent_id="east/agent", journal_id=22, incarnation=5)
LEASE = timedelta(seconds=30)


def report(world: World, life: AgentLife | None, ready: int) -> Any:
    seen = PoolObservation(pool=a_pool(), desired=ready, ready=ready)
    observation = observation_to_wire(an_observation(seen, at=world.clock.now()))
    request = fleet_pb2.ReportFleetRequest(observation=observation)
    if life is not None:
        request.agent.CopyFrom(life_to_wire(life))
    return world.client.fleet.ReportFleet(request)


def watch(world: World, life: AgentLife) -> Any:
    request = fleet_pb2.WatchCommandsRequest(
        region="east", agent_id="agent", agent=life_to_wire(life)
    )
    return world.client.fleet.WatchCommands(request)


async def test_the_second_agents_reports_and_leases_are_refused_and_say_who_holds() -> None:
    async with a_world(command_lease=LEASE) as world:
        await report(world, FIRST, ready=2)
        world.clock.advance_to(NOON + timedelta(seconds=1))
        for call in (report(world, SECOND, ready=7), watch(world, SECOND)):
            error = await error_in(call)
            assert isinstance(error, RegionHeld)
            assert "held by east/agent (journal 000000000000000b, life 1)" in str(error)
            assert "2026-03-02T12:00:30" in str(error)
        seen = world.stores.fleet.fleet(world.clock.now()).pool(a_pool())
        assert seen.ready == 2
        fleet = await world.client.fleet.GetFleet(fleet_pb2.GetFleetRequest())
        (hold,) = holds_from_wire(fleet)
        assert (hold.agent, hold.until) == (FIRST, NOON + LEASE)


async def test_an_agent_that_stands_by_leaves_one_record_and_its_count() -> None:
    async with a_world(command_lease=LEASE) as world:
        for seconds in range(0, 700, 10):
            world.clock.advance_to(NOON + timedelta(seconds=seconds))
            await report(world, FIRST, ready=2)
            await error_in(report(world, SECOND, ready=7))
        kept = world.stores.audit.records(Span(NOON, NOON + timedelta(hours=1)))
        refused = [record for record in kept if "REGION_HELD" in record.outcome]
        assert len(refused) == 2
        assert "(59 times more since 2026-03-02T12:00:00+00:00)" in refused[1].detail


async def test_it_takes_over_once_the_holder_is_silent_and_the_change_of_hands_is_audited() -> None:
    async with a_world(command_lease=LEASE) as world:
        await report(world, FIRST, ready=2)
        world.clock.advance_to(NOON + LEASE)
        await heard(watch(world, SECOND))
        assert isinstance(await error_in(report(world, FIRST, ready=2)), RegionHeld)
        span = Span(NOON, NOON + MINUTE)
        acts = [r for r in world.stores.audit.records(span) if r.action == "hold-region"]
        assert [str(FIRST) in act.detail for act in acts] == [True, True]
        assert "after east/agent" in acts[1].detail
        assert any("REGION_HELD" in r.outcome for r in world.stores.audit.records(span))


def ordered(world: World) -> Command:
    order = ScaleOrder(pool=a_pool(), target_replicas=3)
    command = replace(a_command(order=order), command_id="", state=CommandState.PENDING)
    epoch = world.plane.leader.epoch()
    (stored,) = world.stores.decisions.commit(Decision(commands=(command,)), epoch=epoch).commands
    return stored


def word(world: World, life: AgentLife | None, command: Command, state: CommandState) -> Any:
    ack = Acknowledgement(
        command_id=command.command_id,
        region=command.region,
        state=state,
        at=world.clock.now(),
        refusal=RefusalKind.NO_CAPACITY if state is CommandState.REFUSED else None,
    )
    request = word_to_wire(ack)
    if life is not None:
        request.agent.CopyFrom(life_to_wire(life))
    return world.client.fleet.AcknowledgeCommand(request)


async def test_an_agent_that_lost_the_region_ends_no_command_of_its_successor() -> None:
    async with a_world(command_lease=LEASE) as world:
        command = ordered(world)
        await heard(watch(world, FIRST))
        await word(world, FIRST, command, CommandState.LEASED)
        world.clock.advance_to(NOON + LEASE)
        await heard(watch(world, SECOND))
        for state in (CommandState.REFUSED, CommandState.EXPIRED, CommandState.APPLIED):
            error = await error_in(word(world, FIRST, command, state))
            assert isinstance(error, RegionHeld)
        assert world.stores.outbox.command(command.command_id).state is CommandState.LEASED
        await word(world, SECOND, command, CommandState.APPLIED)
        assert world.stores.outbox.command(command.command_id).state is CommandState.APPLIED


async def test_words_of_an_agent_of_an_older_release_which_do_not_say_whose_they_are_count() -> (
    None
):
    async with a_world(command_lease=LEASE) as world:
        command = ordered(world)
        await heard(watch(world, FIRST))
        await word(world, None, command, CommandState.APPLIED)
        assert world.stores.outbox.command(command.command_id).state is CommandState.APPLIED


async def test_an_agent_of_an_older_release_is_let_in_only_while_nobody_holds_the_region() -> None:
    async with a_world(command_lease=LEASE) as world:
        await report(world, None, ready=1)
        await report(world, FIRST, ready=2)
        assert isinstance(await error_in(report(world, None, ready=1)), RegionHeld)


async def test_an_agent_of_an_older_release_waits_one_lease_after_the_clock_was_set_back() -> None:
    async with a_world(command_lease=LEASE) as world:
        ahead = NOON + timedelta(hours=2)
        world.stores.fleet.claim(RegionName("east"), FIRST, ahead, LEASE)
        assert isinstance(await error_in(report(world, None, ready=1)), RegionHeld)
        world.clock.advance_to(NOON + LEASE)
        await report(world, None, ready=1)
        seen = world.stores.fleet.observation(RegionName("east"))
        assert seen is not None
        assert seen.observed_at == NOON + LEASE


async def test_two_running_agents_with_directories_of_their_own_do_not_take_turns(
    tmp_path: Path,
) -> None:
    async with a_world(command_lease=LEASE) as world:
        async with started(tmp_path / "one", world.plane.address) as one:
            one.tick(NOON)
            await one.link.send_all()
            async with started(tmp_path / "two", world.plane.address) as two:
                two.tick(NOON)
                with pytest.raises((RegionHeld, Unavailable), match="held by"):
                    await two.link.send_all(2)
                assert two.journal.unsent_observation() is not None
            hold = world.stores.fleet.hold(one.region)
        assert hold is not None
        assert hold.agent == one.journal.life


async def test_an_agent_cannot_hold_a_region_with_a_life_that_is_none() -> None:
    async with a_world() as world:
        error = await error_in(
            report(world, AgentLife(agent_id="a", journal_id=0, incarnation=1), ready=1)
        )
        assert isinstance(error, InvalidInput)
        assert error.field == "agent"
