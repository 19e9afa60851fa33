"""What every AgentJournal promises. An implementation joins by adding its home to `HOMES`.

A *home* is what survives a crash (an object, a file); `open()` gives the journal that an agent finds
when it starts there, also after a crash without a goodbye.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandProgress,
    CommandState,
    RefusalKind,
    ScaleOrder,
)
from heliostat.model.fleet import LeadTimeSample, PoolObservation, StartKind
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageBatch
from heliostat.ports.agent import AgentJournal
from services.agent.journal.operator import set_brake
from simulation.journal import MemoryJournal
from tests.builders import MINUTE, NOON, a_pool, a_window, an_observation
from tests.support.agents import AgentDisk

EAST = RegionName("east")


class JournalHome(Protocol):
    def open(self) -> AgentJournal: ...

    def set_brake(self, *, paused: bool) -> None: ...

    def close(self) -> None: ...


class MemoryHome:
    """The simulated agent's memory is the object itself."""

    def __init__(self, _: Path) -> None:
        self._journal = MemoryJournal(source_id="agent-east")

    def open(self) -> AgentJournal:
        return self._journal

    def set_brake(self, *, paused: bool) -> None:
        self._journal.braked = paused

    def close(self) -> None:
        pass


class SqliteHome:
    """The real agent's file, found again by its next life."""

    def __init__(self, folder: Path) -> None:
        self._disk = AgentDisk(folder)

    def open(self) -> AgentJournal:
        return self._disk.journal()

    def set_brake(self, *, paused: bool) -> None:
        set_brake(self._disk.path, paused=paused, author="ops", now=NOON)

    def close(self) -> None:
        self._disk.close()


HOMES: dict[str, Callable[[Path], JournalHome]] = {"memory": MemoryHome, "sqlite": SqliteHome}


@pytest.fixture(params=sorted(HOMES))
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalHome]:
    home = HOMES[request.param](tmp_path)
    yield home
    home.close()


def a_command(number: int = 1, target: int = 3, **changes: Any) -> Command:
    command = Command(
        command_id=f"{number:012d}",
        region=EAST,
        order=ScaleOrder(pool=a_pool(), target_replicas=target),
        reason="demand grows",
        author="planner",
        created_at=NOON + MINUTE * number,
        not_after=NOON + timedelta(hours=4),
        state=CommandState.LEASED,
    )
    return replace(command, **changes)


def a_word(
    number: int = 1, state: CommandState = CommandState.LEASED, minute: int = 5, **changes: Any
) -> Acknowledgement:
    values: dict[str, Any] = {
        "command_id": f"{number:012d}",
        "region": EAST,
        "state": state,
        "at": NOON + MINUTE * minute,
        "command_created_at": NOON + MINUTE * number,
    }
    return Acknowledgement(**(values | changes))


def a_table(version: str = "7") -> RoutingTable:
    return RoutingTable(
        origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(), version=version
    )


ENDS_THAT_COUNT = [s for s in CommandState if s.ended and s is not CommandState.EXPIRED]
"""Of those that came about elsewhere."""


# --- commands --------------------------------------------------------------------------------


def test_a_fresh_journal_is_empty(home: JournalHome) -> None:
    journal = home.open()
    assert journal.open_commands() == ()
    assert journal.unsent_acks() == ()
    assert journal.unsent_usage(10) == ()
    assert journal.unsent_observation() is None
    assert journal.table() is None
    assert not journal.paused()


def test_received_commands_are_open_oldest_first(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command(2), a_command(1)])
    journal.receive([a_command(3)])
    assert [c.command_id for c in journal.open_commands()] == [f"{n:012d}" for n in (1, 2, 3)]


def test_a_lower_id_that_came_later_is_the_later_command(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command(500)])
    journal.receive([a_command(481)])
    journal.acknowledge(a_word(500))
    journal.receive([a_command(500, revision=2)])
    assert [int(c.command_id) for c in home.open().open_commands()] == [500, 481]


def test_a_command_received_twice_is_open_once(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command()])
    journal.receive([a_command(revision=2)])
    assert [c.revision for c in journal.open_commands()] == [2]


def test_an_open_command_comes_back_whole_after_a_crash(home: JournalHome) -> None:
    home.open().receive([a_command()])
    assert home.open().open_commands() == (a_command(),)


@pytest.mark.parametrize("end", ENDS_THAT_COUNT)
def test_a_command_that_ended_elsewhere_stays_open_until_it_is_let_go(
    home: JournalHome, end: CommandState
) -> None:
    """Somebody cancelled it, or another agent carried it out while this one was away."""
    refusal = RefusalKind.QUOTA if end is CommandState.REFUSED else None
    journal = home.open()
    journal.receive([a_command()])
    journal.receive([a_command(state=end, outcome="not needed", refusal=refusal, revision=2)])
    journal = home.open()
    (marked,) = journal.open_commands()
    assert (marked.state, marked.outcome, marked.refusal) == (end, "not needed", refusal)
    journal.acknowledge(a_word(state=end, refusal=refusal))
    assert journal.open_commands() == ()


def test_a_command_that_expired_by_another_clock_stays_as_it_is(home: JournalHome) -> None:
    """A leader whose clock jumps ahead expires all; each agent ends its commands at its own deadline."""
    journal = home.open()
    journal.receive([a_command(), a_command(2)])
    journal.receive([a_command(state=CommandState.EXPIRED, ended_at=NOON, revision=2)])
    journal = home.open()
    assert journal.open_commands() == (a_command(), a_command(2))
    journal.receive([a_command(state=CommandState.CANCELLED, revision=3)])
    assert [c.state for c in journal.open_commands()] == [
        CommandState.CANCELLED,
        CommandState.LEASED,
    ]
    journal.receive([a_command(3, state=CommandState.EXPIRED)])
    assert len(journal.open_commands()) == 2


@pytest.mark.parametrize("end", ENDS_THAT_COUNT)
def test_a_late_lease_does_not_revive_a_command_that_ended_elsewhere(
    home: JournalHome, end: CommandState
) -> None:
    journal = home.open()
    journal.receive([a_command()])
    journal.receive([a_command(state=end, revision=2)])
    journal.receive([a_command()])
    assert [c.state for c in journal.open_commands()] == [end]


def test_a_cancellation_may_come_before_its_command(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command(state=CommandState.CANCELLED, revision=2)])
    journal.receive([a_command()])
    assert [c.state for c in journal.open_commands()] == [CommandState.CANCELLED]


@pytest.mark.parametrize("end", [s for s in CommandState if s.ended])
def test_an_ended_command_is_never_opened_again(home: JournalHome, end: CommandState) -> None:
    journal = home.open()
    journal.receive([a_command()])
    refusal = RefusalKind.QUOTA if end is CommandState.REFUSED else None
    journal.acknowledge(a_word(state=end, refusal=refusal))
    journal = home.open()
    journal.receive([a_command(revision=5)])
    assert journal.open_commands() == ()


def test_an_ended_command_that_arrives_open_has_its_end_said_again(home: JournalHome) -> None:
    """The control plane confirmed the end and lost it: a fail-over, or a restored backup."""
    journal = home.open()
    journal.receive([a_command()])
    end = a_word(
        state=CommandState.REFUSED,
        refusal=RefusalKind.QUOTA,
        progress=CommandProgress(ready=1, detail="1 of 3"),
        detail="the quota is 1",
    )
    journal.acknowledge(end)
    journal.ack_sent(end)
    journal = home.open()
    for _ in range(2):
        journal.receive([a_command()])
    assert journal.unsent_acks() == (end,)
    assert journal.open_commands() == ()


@pytest.mark.parametrize("end", [s for s in CommandState if s.ended])
def test_an_end_that_the_control_plane_knows_is_not_said_again(
    home: JournalHome, end: CommandState
) -> None:
    journal = home.open()
    journal.receive([a_command()])
    word = a_word(state=CommandState.APPLIED)
    journal.acknowledge(word)
    journal.ack_sent(word)
    journal.receive([a_command(state=end, ended_at=NOON, revision=3)])
    assert journal.unsent_acks() == ()


# --- acknowledgements ------------------------------------------------------------------------


def test_the_newest_word_on_a_command_is_the_one_to_send(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command()])
    journal.acknowledge(a_word(minute=5))
    newest = a_word(minute=6, progress=CommandProgress(loading=2), detail="half way")
    journal.acknowledge(newest)
    assert home.open().unsent_acks() == (newest,)


def test_an_open_command_remembers_its_progress(home: JournalHome) -> None:
    home.open().receive([a_command()])
    home.open().acknowledge(a_word(progress=CommandProgress(loading=2)))
    assert [c.progress.loading for c in home.open().open_commands()] == [2]


def test_a_second_end_changes_nothing(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command()])
    end = a_word(state=CommandState.APPLIED)
    journal.acknowledge(end)
    journal.acknowledge(a_word(state=CommandState.EXPIRED, minute=9))
    assert journal.unsent_acks() == (end,)


def test_words_are_sent_oldest_first(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command(1), a_command(2)])
    words = [a_word(2, minute=5), a_word(1, minute=6)]
    for word in words:
        journal.acknowledge(word)
    assert list(journal.unsent_acks()) == words


def test_a_confirmed_word_is_not_sent_again(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command()])
    word = a_word(state=CommandState.APPLIED)
    journal.acknowledge(word)
    journal.ack_sent(word)
    journal.ack_sent(word)
    assert home.open().unsent_acks() == ()


def test_confirming_an_old_word_keeps_the_newer_one_unsent(home: JournalHome) -> None:
    journal = home.open()
    journal.receive([a_command()])
    old, new = a_word(minute=5), a_word(minute=6)
    journal.acknowledge(old)
    journal.acknowledge(new)
    journal.ack_sent(old)
    assert journal.unsent_acks() == (new,)


# --- usage -----------------------------------------------------------------------------------


def of_no_life(batches: Iterable[UsageBatch | None]) -> list[UsageBatch]:
    """Whatever life they leave in: a restart may begin a higher incarnation, and resend under it."""
    return [replace(batch, incarnation=1) for batch in batches if batch is not None]


def test_no_windows_make_no_batch(home: JournalHome) -> None:
    journal = home.open()
    assert journal.append_usage(()) is None
    assert journal.unsent_usage(10) == ()


def test_batches_are_numbered_without_gaps(home: JournalHome) -> None:
    journal = home.open()
    batches = [journal.append_usage([a_window(NOON + MINUTE * n)]) for n in range(3)]
    first = batches[0]
    assert first is not None
    assert [b.sequence for b in batches if b] == [first.sequence + n for n in range(3)]
    assert {(b.source_id, b.incarnation) for b in batches if b} == {
        (first.source_id, first.incarnation)
    }


def test_unsent_usage_is_the_oldest_first_up_to_the_limit(home: JournalHome) -> None:
    journal = home.open()
    batches = [journal.append_usage([a_window(NOON + MINUTE * n)]) for n in range(3)]
    assert list(journal.unsent_usage(2)) == batches[:2]
    assert of_no_life(home.open().unsent_usage(10)) == of_no_life(batches)


def test_durable_usage_is_forgotten_and_only_that(home: JournalHome) -> None:
    journal = home.open()
    batches = [journal.append_usage([a_window(NOON + MINUTE * n)]) for n in range(3)]
    second = batches[1]
    assert second is not None
    journal.usage_sent(second.incarnation, second.sequence)
    assert of_no_life(home.open().unsent_usage(10)) == of_no_life(batches[2:])


def test_a_receipt_for_another_life_forgets_nothing(home: JournalHome) -> None:
    journal = home.open()
    batch = journal.append_usage([a_window()])
    assert batch is not None
    journal.usage_sent(batch.incarnation + 1, batch.sequence)
    assert journal.unsent_usage(10) == (batch,)


def test_numbering_never_repeats_after_a_crash(home: JournalHome) -> None:
    before = home.open().append_usage([a_window()])
    after = home.open().append_usage([a_window(NOON + MINUTE)])
    assert before is not None
    assert after is not None
    assert (after.incarnation, after.sequence) > (before.incarnation, before.sequence)
    assert of_no_life(home.open().unsent_usage(10)) == of_no_life([before, after])


# --- fleet, routes, brake --------------------------------------------------------------------


def a_sample(minute: int) -> LeadTimeSample:
    return LeadTimeSample(
        pool=a_pool(),
        start_kind=StartKind.COLD,
        lead_time=8 * MINUTE,
        ready_at=NOON + MINUTE * minute,
    )


def test_only_the_newest_observation_is_sent(home: JournalHome) -> None:
    journal = home.open()
    for minute in range(2):
        seen = PoolObservation(pool=a_pool(), ready=minute)
        journal.put_observation(an_observation(seen, at=NOON + MINUTE * minute))
    found = home.open().unsent_observation()
    assert found is not None
    assert (found.observed_at, found.pools[0].ready) == (NOON + MINUTE, 1)


def test_lead_times_of_unsent_observations_are_carried_over(home: JournalHome) -> None:
    journal = home.open()
    for minute in range(3):
        at = NOON + MINUTE * minute
        journal.put_observation(an_observation(at=at, lead_times=(a_sample(minute),)))
    found = home.open().unsent_observation()
    assert found is not None
    assert set(found.lead_times) == {a_sample(0), a_sample(1), a_sample(2)}


def test_a_confirmed_observation_is_not_sent_again(home: JournalHome) -> None:
    journal = home.open()
    journal.put_observation(an_observation(at=NOON))
    journal.observation_sent(NOON)
    assert home.open().unsent_observation() is None


def test_confirming_an_old_observation_keeps_the_newer_one(home: JournalHome) -> None:
    journal = home.open()
    journal.put_observation(an_observation(at=NOON))
    journal.put_observation(an_observation(at=NOON + MINUTE))
    journal.observation_sent(NOON)
    found = journal.unsent_observation()
    assert found is not None
    assert found.observed_at == NOON + MINUTE


def test_the_last_good_table_survives_a_crash(home: JournalHome) -> None:
    home.open().put_table(a_table("7"))
    home.open().put_table(a_table("8"))
    assert home.open().table() == a_table("8")


def test_the_brake_holds_across_a_crash(home: JournalHome) -> None:
    home.open()
    home.set_brake(paused=True)
    assert home.open().paused()
    home.set_brake(paused=False)
    assert not home.open().paused()
