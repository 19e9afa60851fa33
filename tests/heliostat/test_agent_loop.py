"""The agent loop ends every command once, retries what may pass, and lets go at safe points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heliostat.errors import (
    CapacityUnavailable,
    DataLoss,
    DriverUnavailable,
    HeliostatError,
    InvalidInput,
    PurchaseRefused,
    QuotaExceeded,
    StorageUnavailable,
    Throttled,
    UnknownPool,
)
from heliostat.loops.agent import MOST_UNKEPT, AgentLoop
from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandProgress,
    CommandState,
    RefusalKind,
    ScaleOrder,
)
from heliostat.model.fleet import PoolObservation, RegionObservation
from heliostat.model.usage import UsageBatch, UsageWindow
from heliostat.model.wording import LONGEST_SAID
from heliostat.ports.cloud import DriverAnswer
from simulation.journal import MemoryJournal
from tests.builders import MINUTE, NOON, a_pool, a_window, an_observation

HOUR = timedelta(hours=1)
POOL = a_pool()
OTHER = a_pool(model="beta")


@dataclass
class ToldDriver:
    """Answers as told; remembers what it was asked."""

    answer: Callable[[Command], DriverAnswer] = lambda _: DriverAnswer(
        progress=CommandProgress(ready=4), done=True
    )
    silence: HeliostatError | None = None
    """Raised instead of looking or letting go."""
    others: Exception | None = None
    """Raised instead of letting go of what is under way without its command."""
    applied: list[str] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    kept: list[tuple[str, ...]] = field(default_factory=list)
    """Which commands were named as open, tick by tick."""

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        self.applied.append(command.command_id)
        return self.answer(command)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        if self.silence is not None:
            raise self.silence
        self.abandoned.append(command.command_id)
        return CommandProgress(ready=1)

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        if self.others is not None:
            raise self.others
        self.kept.append(tuple(command.command_id for command in commands))

    def observe(self, now: datetime) -> RegionObservation:
        if self.silence is not None:
            raise self.silence
        return an_observation(PoolObservation(pool=POOL, ready=4), at=now)


@dataclass
class ToldMeter:
    """Hands out these windows once."""

    windows: list[UsageWindow] = field(default_factory=list)

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        handed, self.windows = tuple(self.windows), []
        return handed


@dataclass
class Agent:
    driver: ToldDriver = field(default_factory=ToldDriver)
    meter: ToldMeter = field(default_factory=ToldMeter)
    journal: MemoryJournal = field(default_factory=lambda: MemoryJournal(source_id="east/agent"))

    def __post_init__(self) -> None:
        self.loop = AgentLoop(
            region=POOL.region, journal=self.journal, driver=self.driver, meter=self.meter
        )

    def word(self) -> Acknowledgement:
        return self.journal.unsent_acks()[-1]


def a_command(command_id: str = "1", at: datetime = NOON, **changes: Any) -> Command:
    command = Command(
        command_id=command_id,
        region=POOL.region,
        order=ScaleOrder(pool=POOL, target_replicas=4),
        reason="demand",
        author="planner",
        plan_version=7,
        created_at=at,
        not_after=at + timedelta(hours=1),
        state=CommandState.LEASED,
    )
    return replace(command, **changes)


def failing(error: HeliostatError) -> Callable[[Command], DriverAnswer]:
    def answer(_: Command) -> DriverAnswer:
        raise error

    return answer


def unforeseen(_: Command) -> DriverAnswer:
    raise KeyError("model")


def test_a_finished_order_is_acknowledged_as_applied_and_not_touched_again() -> None:
    agent = Agent()
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    agent.loop.tick(NOON + MINUTE)
    assert agent.driver.applied == ["1"]
    assert (agent.word().state, agent.word().progress.ready) == (CommandState.APPLIED, 4)


def test_an_unfinished_order_reports_progress_and_goes_on() -> None:
    agent = Agent()
    agent.driver.answer = lambda _: DriverAnswer(
        progress=CommandProgress(provisioning=4), done=False
    )
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert (agent.word().state, agent.word().progress.provisioning) == (CommandState.LEASED, 4)
    agent.loop.tick(NOON + MINUTE)
    assert agent.driver.applied == ["1", "1"]


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (CapacityUnavailable("none left"), RefusalKind.NO_CAPACITY),
        (QuotaExceeded("40 of 40"), RefusalKind.QUOTA),
        (UnknownPool("east/x/y"), RefusalKind.UNKNOWN_POOL),
        (PurchaseRefused("the role may not buy"), RefusalKind.DRIVER_ERROR),
    ],
)
def test_a_typed_refusal_ends_the_command(error: HeliostatError, refusal: RefusalKind) -> None:
    agent = Agent()
    agent.driver.answer = failing(error)
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert (agent.word().state, agent.word().refusal) == (CommandState.REFUSED, refusal)
    assert agent.journal.open_commands() == ()


@pytest.mark.parametrize("error", [Throttled("slow down"), DriverUnavailable("away")])
def test_what_may_pass_is_tried_again(error: HeliostatError) -> None:
    agent = Agent()
    agent.driver.answer = failing(error)
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert agent.word().state is CommandState.LEASED
    assert "will retry" in agent.word().detail
    agent.driver.answer = ToldDriver.answer
    agent.loop.tick(NOON + MINUTE)
    assert agent.word().state is CommandState.APPLIED


def test_past_its_deadline_a_command_expires_and_is_let_go() -> None:
    agent = Agent()
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON + timedelta(hours=1))
    assert agent.driver.applied == []
    assert agent.driver.abandoned == ["1"]
    assert agent.word().state is CommandState.EXPIRED


def test_a_command_that_was_throttled_until_its_deadline_is_refused_as_throttled() -> None:
    agent = Agent()
    agent.driver.answer = failing(Throttled("slow down"))
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert "slow down" in agent.word().progress.detail
    agent.loop.tick(NOON + timedelta(hours=1))
    assert agent.driver.abandoned == ["1"]
    assert (agent.word().state, agent.word().refusal) == (
        CommandState.REFUSED,
        RefusalKind.THROTTLED,
    )


def test_a_command_that_the_cloud_listened_to_in_the_end_expires() -> None:
    agent = Agent()
    agent.driver.answer = failing(Throttled("slow down"))
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    agent.driver.answer = lambda _: DriverAnswer(progress=CommandProgress(loading=4), done=False)
    agent.loop.tick(NOON + MINUTE)
    agent.loop.tick(NOON + timedelta(hours=1))
    assert agent.word().state is CommandState.EXPIRED


def test_a_later_decision_about_the_pool_supersedes_the_earlier() -> None:
    agent = Agent()
    agent.journal.receive([a_command("1"), a_command("2", NOON + MINUTE)])
    agent.loop.tick(NOON + MINUTE)
    assert agent.driver.abandoned == ["1"]
    assert agent.driver.applied == ["2"]
    words = {ack.command_id: ack for ack in agent.journal.unsent_acks()}
    assert words["1"].state is CommandState.CANCELLED
    assert words["1"].detail == "superseded by command 2"


def test_of_two_commands_the_one_that_came_later_is_the_later_decision() -> None:
    """A control plane that was restored from a backup counts from a lower id again."""
    agent = Agent()
    agent.journal.receive([a_command("500")])
    agent.journal.receive([a_command("481", NOON + MINUTE)])
    agent.loop.tick(NOON + MINUTE)
    assert (agent.driver.abandoned, agent.driver.applied) == (["500"], ["481"])


def test_at_each_tick_the_driver_lets_go_of_all_but_the_open_commands() -> None:
    agent = Agent()
    agent.journal.receive([a_command("1")])
    agent.loop.tick(NOON)
    agent.loop.tick(NOON + MINUTE)
    assert agent.driver.kept == [("1",), ()]


def test_orders_of_one_plan_belong_together() -> None:
    agent = Agent()
    agent.journal.receive([a_command("1"), a_command("2")])
    agent.loop.tick(NOON)
    assert agent.driver.applied == ["1", "2"]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (7, 0), (7, 8)])
def test_of_two_decisions_of_one_second_the_later_counts(first: int, second: int) -> None:
    agent = Agent()
    agent.journal.receive([a_command("1", plan_version=first)])
    agent.journal.receive([a_command("2", plan_version=second)])
    agent.loop.tick(NOON)
    assert (agent.driver.abandoned, agent.driver.applied) == (["1"], ["2"])


def test_a_cancelled_command_is_let_go_even_when_the_cloud_is_away_for_a_while() -> None:
    agent = Agent()
    agent.journal.receive([a_command()])
    agent.journal.receive([a_command(state=CommandState.CANCELLED, outcome="ada changed her mind")])
    agent.driver.silence = DriverUnavailable("the cloud does not answer")
    agent.loop.tick(NOON)
    assert agent.word().state is CommandState.LEASED
    agent.driver.silence = None
    agent.loop.tick(NOON + MINUTE)
    assert agent.word().state is CommandState.CANCELLED
    assert agent.driver.applied == []


@pytest.mark.parametrize(
    ("end", "refusal"), [(CommandState.APPLIED, None), (CommandState.REFUSED, RefusalKind.QUOTA)]
)
def test_what_another_agent_ended_meanwhile_is_let_go_and_not_carried_out(
    end: CommandState, refusal: RefusalKind | None
) -> None:
    agent = Agent()
    agent.journal.receive([a_command()])
    ended = a_command(state=end, refusal=refusal, outcome="4 ready", ended_at=NOON)
    agent.journal.receive([ended])
    agent.loop.tick(NOON + 9 * MINUTE)
    assert (agent.driver.applied, agent.driver.abandoned) == ([], ["1"])
    assert (agent.word().state, agent.word().refusal) == (end, refusal)
    assert agent.word().at == NOON, "when it ended, not when this agent heard of it"
    assert agent.journal.open_commands() == ()


def test_what_another_clock_expired_goes_on_until_its_deadline_by_the_agents_own() -> None:
    agent = Agent()
    agent.driver.answer = lambda _: DriverAnswer(progress=CommandProgress(ready=1), done=False)
    agent.journal.receive([a_command()])
    agent.journal.receive([a_command(state=CommandState.EXPIRED, ended_at=NOON + 5 * HOUR)])
    agent.loop.tick(NOON + MINUTE)
    assert (agent.driver.applied, agent.driver.abandoned) == (["1"], [])
    agent.loop.tick(NOON + HOUR)
    assert (agent.driver.abandoned, agent.word().state) == (["1"], CommandState.EXPIRED)


def test_the_brake_stops_work_but_not_sight() -> None:
    agent = Agent()
    agent.journal.braked = True
    agent.journal.receive([a_command()])
    agent.meter.windows = [a_window()]
    agent.loop.tick(NOON)
    assert agent.driver.applied == []
    observation = agent.journal.unsent_observation()
    assert observation is not None
    assert observation.agent_paused
    assert len(agent.journal.unsent_usage(10)) == 1


def test_a_braked_agent_says_why_it_waits_and_refuses_at_the_deadline() -> None:
    agent = Agent()
    agent.journal.braked = True
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert agent.word().state is CommandState.LEASED
    assert "paused locally" in agent.word().progress.detail
    agent.loop.tick(NOON + timedelta(hours=1))
    assert agent.driver.applied == []
    assert agent.driver.abandoned == ["1"]
    assert agent.word().refusal is RefusalKind.AGENT_PAUSED


def test_a_braked_agent_lets_go_of_what_was_cancelled() -> None:
    agent = Agent()
    agent.journal.receive([a_command()])
    agent.journal.braked = True
    agent.journal.receive([a_command(state=CommandState.CANCELLED, outcome="ada changed her mind")])
    agent.loop.tick(NOON)
    assert agent.word().state is CommandState.CANCELLED


def test_what_was_said_is_not_said_again() -> None:
    agent = Agent()
    agent.driver.answer = lambda _: DriverAnswer(progress=CommandProgress(loading=4), done=False)
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    agent.loop.tick(NOON + MINUTE)
    assert agent.word().at == NOON
    agent.driver.answer = ToldDriver.answer
    agent.loop.tick(NOON + 2 * MINUTE)
    assert agent.word().at == NOON + 2 * MINUTE


@pytest.mark.parametrize("error", [Throttled("slow down"), DriverUnavailable("away")])
def test_while_the_cloud_does_not_answer_nothing_is_reported_rather_than_zeros(
    error: HeliostatError,
) -> None:
    agent = Agent()
    agent.driver.silence = error
    agent.meter.windows = [a_window()]
    agent.loop.tick(NOON)
    assert agent.journal.unsent_observation() is None
    assert len(agent.journal.unsent_usage(10)) == 1


def test_a_fault_in_one_order_holds_up_no_other_and_takes_no_sight_away() -> None:
    agent = Agent()
    agent.driver.answer = lambda c: ToldDriver.answer(c) if c.command_id == "2" else unforeseen(c)
    agent.meter.windows = [a_window()]
    agent.journal.receive([a_command("1"), a_command("2")])
    with pytest.raises(KeyError, match="model"):
        agent.loop.tick(NOON)
    words = {ack.command_id: ack for ack in agent.journal.unsent_acks()}
    assert (words["1"].state, words["2"].state) == (CommandState.LEASED, CommandState.APPLIED)
    assert "KeyError" in words["1"].progress.detail
    assert agent.journal.unsent_observation() is not None
    assert len(agent.journal.unsent_usage(10)) == 1


@pytest.mark.parametrize(
    "words", ["x" * 20_000, "a\0b", "\udce9", "\0" * 20_000, "\udce9" * 20_000]
)
@pytest.mark.parametrize("fault", [RuntimeError, CapacityUnavailable, DriverUnavailable])
def test_what_a_fault_says_is_said_so_that_everybody_can_keep_it(
    fault: type[Exception], words: str
) -> None:
    def answer(_: Command) -> DriverAnswer:
        raise fault(words)

    agent = Agent()
    agent.driver.answer = answer
    agent.journal.receive([a_command()])
    for _ in range(2):
        with suppress(RuntimeError):
            agent.loop.work(NOON)
    (word,) = agent.journal.unsent_acks()
    for text in (word.detail, word.progress.detail):
        text.encode()
        assert "\0" not in text
        assert len(text) <= LONGEST_SAID


def test_all_faults_of_a_tick_are_said() -> None:
    agent = Agent()
    agent.driver.answer = unforeseen
    agent.driver.silence = UnknownPool("a driver may not say this of a look")
    agent.journal.receive([a_command("1"), a_command("2")])
    with pytest.raises(ExceptionGroup) as caught:
        agent.loop.tick(NOON)
    assert [type(e) for e in caught.value.exceptions] == [KeyError, KeyError, UnknownPool]


def test_a_fault_while_letting_go_lets_the_others_go() -> None:
    agent = Agent()
    cancelled = a_command(state=CommandState.CANCELLED)
    agent.journal.receive(
        [cancelled, a_command("2", order=ScaleOrder(pool=OTHER, target_replicas=1))]
    )
    agent.driver.silence = InvalidInput("tags", "unheard of")
    with pytest.raises(ExceptionGroup):
        agent.loop.tick(NOON)
    assert agent.driver.applied == ["2"]
    assert [c.command_id for c in agent.journal.open_commands()] == ["1"]


@pytest.mark.parametrize("error", [Throttled("slow down"), DriverUnavailable("in doubt")])
def test_what_cannot_be_let_go_yet_holds_up_no_order(error: HeliostatError) -> None:
    agent = Agent()
    agent.driver.others = error
    agent.journal.receive([a_command()])
    agent.loop.tick(NOON)
    assert agent.driver.applied == ["1"]


def test_a_fault_while_letting_go_of_others_is_raised_once_the_orders_had_their_turn() -> None:
    agent = Agent()
    agent.driver.others = KeyError("token")
    agent.journal.receive([a_command()])
    with pytest.raises(KeyError, match="token"):
        agent.loop.tick(NOON)
    assert agent.driver.applied == ["1"]
    assert agent.journal.unsent_observation() is not None


class FullJournal(MemoryJournal):
    """Takes no usage while `full`."""

    def __init__(self) -> None:
        super().__init__(source_id="east/agent")
        self.full = True
        self.kept: list[UsageWindow] = []

    def append_usage(self, windows: Sequence[UsageWindow]) -> UsageBatch | None:
        if self.full:
            raise StorageUnavailable("the disk is full")
        self.kept += windows
        return super().append_usage(windows)


def kept_after_a_full_disk(*told: list[UsageWindow]) -> list[UsageWindow]:
    """What is journalled of the windows that were told, tick by tick, while the disk was full."""
    journal = FullJournal()
    agent = Agent(journal=journal)
    for windows in told:
        agent.meter.windows = windows
        with pytest.raises(StorageUnavailable):
            agent.loop.tick(NOON)
    journal.full = False
    agent.loop.tick(NOON)
    agent.loop.tick(NOON)
    return journal.kept


def test_usage_that_the_journal_refused_is_kept_once_it_has_room() -> None:
    first, second = a_window(), a_window(NOON + MINUTE)
    assert kept_after_a_full_disk([first], [second]) == [first, second]


def test_of_a_window_that_was_revised_meanwhile_the_last_revision_is_kept() -> None:
    revised = a_window(revision=2)
    assert kept_after_a_full_disk([a_window()], [revised]) == [revised]


def test_what_waits_for_a_full_disk_is_bounded() -> None:
    windows = [a_window(NOON + MINUTE * n) for n in range(MOST_UNKEPT + 2)]
    assert kept_after_a_full_disk(windows) == windows[2:]


@pytest.mark.parametrize("error", [DataLoss("the journal is gone"), StorageUnavailable("full")])
def test_a_journal_that_fails_ends_the_tick_at_once(error: HeliostatError) -> None:
    agent = Agent()
    agent.driver.answer = failing(error)
    agent.journal.receive([a_command("1"), a_command("2")])
    with pytest.raises(type(error)):
        agent.loop.tick(NOON)
    assert agent.driver.applied == ["1"]
    assert agent.journal.unsent_observation() is None
