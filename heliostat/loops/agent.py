"""The agent loop: apply what was ordered, observe the region, keep what happened, all through the journal.

It never talks to the control plane: a link drains and fills the journal in its own time, so the
loop works on when nobody answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from heliostat.errors import (
    DataLoss,
    DriverUnavailable,
    Exhausted,
    NotFound,
    PurchaseRefused,
    StorageUnavailable,
    Throttled,
)
from heliostat.model.command import (
    Acknowledgement,
    Command,
    CommandProgress,
    CommandState,
    RefusalKind,
)
from heliostat.model.names import RegionName
from heliostat.model.usage import UsageSeries, UsageWindow
from heliostat.ports.agent import AgentJournal, UsageMeter
from heliostat.ports.cloud import CloudDriver

_OF_THE_JOURNAL = (DataLoss, StorageUnavailable)
"""Without its journal an agent can do nothing: it may not even say what it did."""
MOST_UNKEPT = 10_000
"""Usage windows that wait for a journal whose disk is full: a day of seven models."""


class AgentLoop:
    """One region's loop; a tick is safe to repeat and to cut short at any line."""

    def __init__(
        self, *, region: RegionName, journal: AgentJournal, driver: CloudDriver, meter: UsageMeter
    ) -> None:
        self._region = region
        self._journal = journal
        self._driver = driver
        self._meter = meter
        self._throttled: set[str] = set()
        """Open commands that the cloud asked to be slow with when they were tried last."""
        self._unkept: dict[tuple[UsageSeries, datetime], UsageWindow] = {}
        """Usage windows that the journal has not taken yet."""

    def tick(self, now: datetime) -> None:
        """Work on every open command, then observe, then keep the closed usage windows.

        What none of them foresees costs the others nothing and is raised at the end: one fault as it is,
        several as an ExceptionGroup. A journal that fails (DataLoss, StorageUnavailable) ends all at once.
        """
        faults: list[Exception] = []
        for part in (self.work, self.observe, self.keep_usage):
            try:
                part(now)
            except _OF_THE_JOURNAL:
                raise
            except ExceptionGroup as several:
                faults += several.exceptions
            except Exception as fault:  # noqa: BLE001 - raised below, once the other parts had their turn
                faults.append(fault)
        _raise(faults)

    def work(self, now: datetime) -> None:
        """Advance open commands by one bounded step each, oldest first; with the brake on only let go of
        those that are over. What is known already is not said again. Raises as `tick` does."""
        braked = self._journal.paused()
        commands = self._journal.open_commands()
        self._throttled &= {command.command_id for command in commands}
        faults = self._abandon_others(commands, now)
        for number, command in enumerate(commands):
            try:
                answer = self._advance(command, commands[number + 1 :], now, braked=braked)
            except _OF_THE_JOURNAL:
                raise
            except Exception as fault:  # noqa: BLE001 - raised below, once the other orders had their turn
                faults.append(fault)
                why = f"will retry after a fault of the agent: {type(fault).__name__}: {fault}"
                answer = _held_up(command, now, why)
            answer = answer.sayable()
            if answer.state.ended or answer.progress != command.progress:
                self._journal.acknowledge(answer)
        _raise(faults)

    def observe(self, now: datetime) -> None:
        """Journal the region as it stands; while the cloud's API is away nothing is reported."""
        try:
            observation = self._driver.observe(now)
        except (Throttled, DriverUnavailable):
            return
        self._journal.put_observation(replace(observation, agent_paused=self._journal.paused()))

    def keep_usage(self, now: datetime) -> None:
        """Journal the usage windows that closed or were revised. The meter tells them once: what the journal
        refuses goes again at the next tick, up to MOST_UNKEPT windows."""
        for window in self._meter.closed_windows(now):
            self._unkept[window.series, window.start] = window
        for oldest in list(self._unkept)[:-MOST_UNKEPT]:
            del self._unkept[oldest]
        self._journal.append_usage(tuple(self._unkept.values()))
        self._unkept.clear()

    def _abandon_others(self, commands: Sequence[Command], now: datetime) -> list[Exception]:
        """Let go of what is under way for commands that are not open any more; what went wrong with it."""
        try:
            self._driver.abandon_others(commands, now)
        except _OF_THE_JOURNAL:
            raise
        except (Throttled, DriverUnavailable):
            return []
        except Exception as fault:  # noqa: BLE001 - raised below, once the orders had their turn
            return [fault]
        return []

    def _advance(
        self, command: Command, later: Sequence[Command], now: datetime, *, braked: bool
    ) -> Acknowledgement:
        successor = next((c for c in later if _supersedes(c, command)), None)
        if command.state.ended:  # elsewhere: somebody cancelled it, or another agent carried it out
            ended = command.ended_at
            return self._let_go(
                command, command.state, command.outcome, now, command.refusal, ended_at=ended
            )
        if successor is not None:
            detail = f"superseded by command {successor.command_id}"
            return self._let_go(command, CommandState.CANCELLED, detail, now)
        if now >= command.not_after:
            return self._too_late(command, now, braked=braked)
        if braked:
            return _held_up(command, now, "waits: the agent is paused locally")
        self._throttled.discard(command.command_id)
        try:
            answer = self._driver.apply(command, now)
        except (Throttled, DriverUnavailable) as error:
            if isinstance(error, Throttled):
                self._throttled.add(command.command_id)
            return _held_up(command, now, f"will retry: {error}")
        except (Exhausted, PurchaseRefused, NotFound) as error:
            refusal = RefusalKind.of(error)
            return _acknowledged(
                command, CommandState.REFUSED, now, refusal=refusal, detail=str(error)
            )
        state = CommandState.APPLIED if answer.done else CommandState.LEASED
        return _acknowledged(
            command, state, now, progress=answer.progress, detail=answer.progress.detail
        )

    def _too_late(self, command: Command, now: datetime, *, braked: bool) -> Acknowledgement:
        """Its deadline passed: refused where we know what held it up all the time, else expired."""
        if braked:
            held_by, why = RefusalKind.AGENT_PAUSED, "the agent is paused locally"
        elif command.command_id in self._throttled:
            held_by, why = RefusalKind.THROTTLED, "the cloud asked to slow down until then"
        else:
            return self._let_go(command, CommandState.EXPIRED, "its deadline passed", now)
        detail = f"its deadline passed: {why}"
        return self._let_go(command, CommandState.REFUSED, detail, now, held_by)

    def _let_go(
        self,
        command: Command,
        state: CommandState,
        detail: str,
        now: datetime,
        refusal: RefusalKind | None = None,
        *,
        ended_at: datetime | None = None,
    ) -> Acknowledgement:
        """Stop, and say how the command ended: now, or when it ended elsewhere."""
        try:
            progress = self._driver.abandon(command, now)
        except (Throttled, DriverUnavailable) as error:
            return _held_up(command, now, f"will stop: {error}")
        at = ended_at or now
        return _acknowledged(command, state, at, progress=progress, refusal=refusal, detail=detail)


def _raise(faults: Sequence[Exception]) -> None:
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise ExceptionGroup("several parts of a tick failed", faults)


def _supersedes(later: Command, earlier: Command) -> bool:
    """Two orders of one plan, made at one instant, belong together; a later decision about a pool replaces
    both. Orders by hand are decisions of their own, two of one second too."""
    of_one_plan = later.plan_version == earlier.plan_version != 0
    if of_one_plan and later.created_at == earlier.created_at:
        return False
    return not set(later.order.pools).isdisjoint(earlier.order.pools)


def _held_up(command: Command, now: datetime, why: str) -> Acknowledgement:
    """It goes on later; people see why in its progress."""
    progress = replace(command.progress, detail=why)
    return _acknowledged(command, CommandState.LEASED, now, progress=progress, detail=why)


def _acknowledged(
    command: Command,
    state: CommandState,
    now: datetime,
    *,
    progress: CommandProgress | None = None,
    refusal: RefusalKind | None = None,
    detail: str = "",
) -> Acknowledgement:
    return Acknowledgement(
        command_id=command.command_id,
        region=command.region,
        state=state,
        at=now,
        progress=progress or command.progress,
        refusal=refusal,
        detail=detail,
        command_created_at=command.created_at,
    )
