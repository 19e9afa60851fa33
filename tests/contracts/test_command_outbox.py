"""What every command outbox promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from heliostat.errors import CommandFinished, RequestIdReused, StaleEtag, UnknownCommand
from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandProgress,
    CommandState,
    RedeployOrder,
    RefusalKind,
)
from heliostat.model.instants import Span
from heliostat.model.names import ModelName
from heliostat.ports.decisions import Decision
from storage.notify import Topic
from tests.contracts.builders import EU, HOUR, QWEN, T0, US, ack, at, command, pool, span
from tests.contracts.worlds import World

LEASE = timedelta(minutes=2)
ENDS = [
    CommandState.APPLIED,
    CommandState.REFUSED,
    CommandState.EXPIRED,
    CommandState.CANCELLED,
]


def order(world: World, *commands: Command) -> tuple[Command, ...]:
    decision = Decision(commands=commands)
    return world.stores.decisions.commit(decision, epoch=world.lead()).commands


def lease(world: World, minute: int = 0, holder: str = "agent-1") -> tuple[Command, ...]:
    return world.stores.outbox.lease(EU, holder, at(minute), LEASE)


def now(world: World, one: Command) -> Command:
    return world.stores.outbox.command(one.command_id)


def end(world: World, state: CommandState) -> Command:
    """A command that ended so."""
    (one,) = order(world, command())
    refusal = RefusalKind.QUOTA if state is CommandState.REFUSED else None
    world.stores.outbox.acknowledge(ack(one.command_id, state, refusal=refusal))
    return now(world, one)


def test_an_empty_outbox_answers_with_nothing(world: World) -> None:
    outbox = world.stores.outbox
    assert outbox.commands() == ()
    assert lease(world) == ()
    assert outbox.last_changes() == ()
    assert outbox.expire(T0, epoch=world.lead()) == ()
    with pytest.raises(UnknownCommand):
        outbox.command("000000000001")
    with pytest.raises(UnknownCommand):
        outbox.acknowledge(ack("000000000001"))


def test_commands_get_growing_ids_and_read_back_equal(world: World) -> None:
    move = RedeployOrder(
        source=pool(), source_target=1, destination=pool(model=QWEN), destination_target=2
    )
    made = order(world, command(), command(of=pool(US)), replace(command(), order=move))
    assert [one.command_id for one in made] == sorted({one.command_id for one in made})
    assert world.open_again().outbox.commands() == made


def test_a_lease_hands_out_the_regions_commands_oldest_first(world: World) -> None:
    made = order(world, command(of=pool(model=QWEN)), command(), command(of=pool(US)))
    taken = lease(world)
    assert [one.command_id for one in taken] == [one.command_id for one in made[:2]]
    assert {one.state for one in taken} == {CommandState.LEASED}
    assert taken == world.stores.outbox.commands(region=EU)


def test_a_lease_is_repeatable_for_its_holder_and_closed_to_others_until_it_runs_out(
    world: World,
) -> None:
    order(world, command())
    taken = lease(world)
    assert lease(world, 1) == taken
    assert lease(world, 2, "agent-2") == ()
    assert lease(world, 3, "agent-2") == taken
    assert lease(world, 3) == ()


def test_a_lease_from_a_clock_that_was_set_back_keeps_nobody_waiting(world: World) -> None:
    (one,) = order(world, command())
    lease(world, 120)
    assert lease(world, 119, "agent-2") == (), "clocks of two control planes may differ so much"
    (taken,) = lease(world, 0, "agent-2")
    assert taken.command_id == one.command_id
    assert lease(world, 1) == (), "the new lease counts from now"


def test_a_command_waits_for_older_ones_about_its_pools_that_another_agent_has(
    world: World,
) -> None:
    (old,) = order(world, command(9))
    lease(world)
    move = RedeployOrder(
        source=pool(), source_target=1, destination=pool(model=QWEN), destination_target=2
    )
    new, behind, other = order(
        world,
        replace(command(), order=move),
        command(5, of=pool(model=QWEN)),
        command(of=pool(model=ModelName("m"))),
    )
    assert [one.command_id for one in lease(world, 1, "agent-2")] == [other.command_id]
    taken = [one.command_id for one in lease(world, 2, "agent-2")]
    assert taken == [old.command_id, new.command_id, behind.command_id, other.command_id]


def test_two_agents_that_lease_at_once_get_no_command_twice(world: World) -> None:
    order(world, *(command(of=pool(model=ModelName(f"m{n}"))) for n in range(6)))
    stores = [world.stores, world.open_again()]
    with ThreadPoolExecutor(2) as threads:
        holders = ["agent-1", "agent-2"]
        taken = list(threads.map(lambda s, h: s.outbox.lease(EU, h, T0, LEASE), stores, holders))
    ids = [one.command_id for part in taken for one in part]
    assert len(ids) == len(set(ids)) == 6


def test_progress_is_kept_and_an_end_is_final(world: World) -> None:
    (one,) = order(world, command())
    lease(world)
    half = CommandProgress(ordered=3, loading=1, detail="1 of 3")
    outbox = world.stores.outbox
    seen = outbox.acknowledge(ack(one.command_id, CommandState.LEASED, progress=half))
    assert (seen.state, seen.progress) == (CommandState.LEASED, half)
    done = outbox.acknowledge(ack(one.command_id, progress=replace(half, ready=3), detail="3 up"))
    assert (done.state, done.outcome, done.ended_at) == (CommandState.APPLIED, "3 up", at(1))
    late = ack(one.command_id, CommandState.REFUSED, refusal=RefusalKind.QUOTA)
    assert outbox.acknowledge(late) == done
    assert lease(world, 50) == ()


def test_a_word_is_no_news_for_those_who_wait_for_orders(world: World) -> None:
    (one,) = order(world, command())
    heard: list[Topic] = []
    world.feed.subscribe(heard.append)
    heard.clear()
    world.stores.outbox.acknowledge(ack(one.command_id, CommandState.LEASED))
    world.stores.outbox.acknowledge(ack(one.command_id, CommandState.APPLIED))
    assert set(heard) == {Topic.WORDS}
    order(world, command(target=9))
    assert Topic.COMMANDS in heard


def test_the_same_word_twice_changes_nothing(world: World) -> None:
    (one,) = order(world, command())
    word = ack(one.command_id, CommandState.LEASED, progress=CommandProgress(ordered=1))
    first = world.stores.outbox.acknowledge(word)
    assert world.stores.outbox.acknowledge(word) == first
    assert first.revision == one.revision + 1


def test_an_agents_word_counts_under_any_leader(world: World) -> None:
    (one,) = order(world, command())
    world.let_lease_run_out()
    word = ack(one.command_id, CommandState.REFUSED, refusal=RefusalKind.NO_CAPACITY)
    done = world.stores.outbox.acknowledge(word)
    assert (done.state, done.refusal) == (CommandState.REFUSED, RefusalKind.NO_CAPACITY)


def test_an_agent_cannot_speak_of_another_regions_command(world: World) -> None:
    (one,) = order(world, command())
    with pytest.raises(UnknownCommand):
        world.stores.outbox.acknowledge(
            Acknowledgement(command_id=one.command_id, region=US, state=CommandState.APPLIED, at=T0)
        )


def test_a_word_on_a_command_that_had_the_id_before_ends_no_other(world: World) -> None:
    (one,) = order(world, command())
    word = ack(one.command_id, command_created_at=at(-60))
    with pytest.raises(UnknownCommand, match="another command since"):
        world.stores.outbox.acknowledge(word)
    assert now(world, one) == one
    word = replace(word, command_created_at=one.created_at)
    assert world.stores.outbox.acknowledge(word).state is CommandState.APPLIED


def test_a_newer_command_supersedes_pending_ones_about_its_pools(world: World) -> None:
    old, other = order(world, command(1), command(1, of=pool(US)))
    (new,) = order(world, command(2, created_at=at(3)))
    gone = now(world, old)
    assert gone.state is CommandState.CANCELLED
    assert gone.outcome == f"superseded by {new.command_id}"
    assert gone.ended_at == at(3)
    assert gone.revision > old.revision
    assert now(world, other).state is CommandState.PENDING
    assert [one.command_id for one in lease(world)] == [new.command_id]


def test_a_leased_command_is_not_superseded(world: World) -> None:
    (old,) = order(world, command(1))
    lease(world)
    order(world, command(2))
    assert now(world, old).state is CommandState.LEASED


def test_commands_of_one_decision_do_not_supersede_each_other(world: World) -> None:
    move = RedeployOrder(
        source=pool(), source_target=1, destination=pool(model=QWEN), destination_target=2
    )
    (old,) = order(world, command(9))
    made = order(world, replace(command(), order=move), command(1))
    assert now(world, old).outcome == f"superseded by {made[0].command_id}"
    assert {now(world, one).state for one in made} == {CommandState.PENDING}


def test_a_repeated_request_returns_the_command_as_it_stands_now(world: World) -> None:
    (first,) = order(world, command(request_id="r-1"))
    (newer,) = order(world, command(5))
    assert order(world, command(request_id="r-1")) == (now(world, first),)
    assert now(world, newer).state is CommandState.PENDING


def test_the_same_request_twice_at_once_is_one_command(world: World) -> None:
    epoch, together = world.lead(), Barrier(4)
    decision = Decision(commands=(command(request_id="r-1"),))

    def ask(_: int) -> str:
        together.wait()
        return world.stores.decisions.commit(decision, epoch=epoch).commands[0].command_id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
    assert len(world.stores.outbox.commands()) == 1


def test_commands_without_request_are_never_taken_for_each_other(world: World) -> None:
    (first,) = order(world, command())
    (second,) = order(world, command())
    assert first.command_id != second.command_id


def test_commands_are_listed_by_region_state_time_and_page(world: World) -> None:
    a, b, c = order(
        world,
        command(),
        command(of=pool(model=QWEN), created_at=at(10)),
        command(of=pool(US), created_at=at(20)),
    )
    world.stores.outbox.acknowledge(ack(a.command_id))
    listed = world.stores.outbox.commands
    assert listed(states=[CommandState.PENDING]) == (b, c)
    assert listed(states=[CommandState.APPLIED, CommandState.PENDING], region=US) == (c,)
    assert listed(created=Span(at(10), at(20))) == (b,)
    assert listed(limit=1) == (now(world, a),)
    assert listed(after_id=a.command_id) == (b, c)
    newest = listed(newest_first=True)
    assert newest == (c, b, now(world, a))
    assert listed(newest_first=True, limit=2) == newest[:2]
    assert listed(newest_first=True, after_id=b.command_id) == newest[2:]


def test_matching_commands_are_counted(world: World) -> None:
    count = world.stores.outbox.count
    assert count() == 0
    order(world, command(of=pool(EU)), command(of=pool(US), created_at=at(10)))
    assert (count(), count(region=EU), count(states=[CommandState.APPLIED])) == (2, 1, 0)
    assert count(created=Span(at(10), at(20)), states=[CommandState.PENDING]) == 1


def test_a_cancelled_command_ends_with_its_author_and_an_audit_record(world: World) -> None:
    (one,) = order(world, command())
    lease(world)
    held, epoch = now(world, one), world.lead()
    outbox = world.stores.outbox
    with pytest.raises(StaleEtag):
        outbox.cancel(one.command_id, etag=str(one.revision), author="bob", now=at(2), epoch=epoch)
    etag = str(held.revision)
    done = outbox.cancel(one.command_id, etag=etag, author="bob", now=at(2), epoch=epoch)
    assert (done.state, done.outcome, done.ended_at) == (
        CommandState.CANCELLED,
        "cancelled by bob",
        at(2),
    )
    assert lease(world, 1) == ()
    (record,) = world.stores.audit.records(span(60))
    assert (record.author, record.action) == ("bob", "cancel-command")


@pytest.mark.parametrize("state", ENDS)
def test_an_ended_command_cannot_be_cancelled(world: World, state: CommandState) -> None:
    done = end(world, state)
    with pytest.raises(CommandFinished):
        world.stores.outbox.cancel(
            done.command_id, etag="", author="bob", now=T0, epoch=world.lead()
        )
    assert now(world, done) == done


def test_cancelling_what_never_was_is_refused(world: World) -> None:
    with pytest.raises(UnknownCommand):
        world.stores.outbox.cancel("none", etag="", author="b", now=T0, epoch=world.lead())


def test_pending_commands_expire_at_their_deadline_and_leased_ones_after_their_lease(
    world: World,
) -> None:
    held, pending, later = order(
        world,
        command(not_after=at(5)),
        command(of=pool(US), not_after=at(5)),
        command(of=pool(model=QWEN), not_after=T0 + HOUR),
    )
    world.stores.outbox.lease(EU, "agent-1", at(4), LEASE)
    outbox, epoch = world.stores.outbox, world.lead()
    assert outbox.expire(at(4), epoch=epoch) == ()
    (gone,) = outbox.expire(at(5), epoch=epoch)
    assert (gone.command_id, gone.state) == (pending.command_id, CommandState.EXPIRED)
    (gone,) = outbox.expire(at(6), epoch=epoch)
    assert gone.command_id == held.command_id
    assert outbox.expire(at(7), epoch=epoch) == ()
    assert now(world, later).state is CommandState.LEASED


def test_a_command_whose_lease_is_renewed_for_ever_ends_some_time_after_its_deadline(
    world: World,
) -> None:
    (held,) = order(world, command(not_after=at(5)))
    outbox, epoch = world.stores.outbox, world.lead()
    for minute in range(20):
        lease(world, minute)
        assert outbox.expire(at(minute), epoch=epoch) == ()
    lease(world, 20)
    (gone,) = outbox.expire(at(20), epoch=epoch)
    assert (gone.command_id, gone.state) == (held.command_id, CommandState.EXPIRED)
    assert lease(world, 21) == ()


def test_the_last_change_of_a_pool_is_its_newest_command(world: World) -> None:
    order(world, command(), command(of=pool(US)))
    order(world, command(created_at=at(9)))
    assert world.stores.outbox.last_changes() == ((pool(), at(9)), (pool(US), at(0)))


def test_the_last_change_of_a_pool_is_the_one_stored_last_also_once_the_clock_was_set_back(
    world: World,
) -> None:
    order(world, command(created_at=at(600)))
    (after,) = order(world, command(target=9))
    outbox = world.stores.outbox
    assert outbox.last_changes() == ((pool(), at(0)),)
    assert outbox.last_commands() == ((pool(), after.command_id),)
    (again,) = order(world, command(target=4, created_at=at(600)))
    assert outbox.last_commands() == ((pool(), again.command_id),)


def test_the_last_command_of_a_pool_tells_two_of_one_second_apart(world: World) -> None:
    first, other = order(world, command(), command(of=pool(US)))
    outbox = world.stores.outbox
    assert dict(outbox.last_commands()) == {
        pool(): first.command_id,
        pool(US): other.command_id,
    }
    (second,) = order(world, command(target=9))
    assert dict(outbox.last_commands())[pool()] == second.command_id
    (of_an_older_clock,) = order(world, command(created_at=at(-5)))
    assert dict(outbox.last_commands())[pool()] == of_an_older_clock.command_id


def test_a_command_that_was_dropped_is_nobodys_last(world: World) -> None:
    (one,) = order(world, command())
    world.stores.outbox.acknowledge(ack(one.command_id))
    assert world.stores.outbox.prune(at(1)) == 1
    assert world.stores.outbox.last_commands() == ()


def test_a_request_is_found_by_its_id_and_one_that_never_came_is_not(world: World) -> None:
    asked = command(request_id="r-1")
    (one,) = order(world, asked, command(of=pool(US)))[:1]
    outbox = world.stores.outbox
    assert outbox.requested("r-1", asked.order) == one
    assert outbox.requested("r-2", asked.order) is None
    assert outbox.requested("", asked.order) is None
    with pytest.raises(RequestIdReused, match="request r-1 already ordered"):
        outbox.requested("r-1", command(target=9).order)
