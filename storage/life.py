"""The life cycle of commands and overrides: pure state transitions, shared by all stores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from heliostat.errors import (
    CommandFinished,
    OutdatedDecision,
    OverrideExpired,
    RequestIdReused,
    StaleEtag,
    UnknownCommand,
)
from heliostat.model.command import Acknowledgement, Command, CommandState, Order
from heliostat.model.governance import AuditRecord, Override
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan
from heliostat.ports.decisions import CLOCK_SET_BACK, Basis, Decision
from storage.notify import Topic

OVERDUE_GRACE = timedelta(minutes=15)
"""An agent may be busy letting go of a command for so long after its deadline. Then the command ends whatever
the lease: an agent that ended it before, or cannot read it, renews the lease for ever."""


def acknowledged(command: Command, ack: Acknowledgement) -> Command:
    """The command after its agent's word; itself when it had ended or nothing is new.

    Raises UnknownCommand when the agent of another region speaks, or one that speaks of another command.
    """
    if ack.region != command.region:
        raise UnknownCommand(ack.command_id, remedy=f"it belongs to {command.region}")
    if not ack.is_on(command):
        raise UnknownCommand(ack.command_id, remedy="the id was given to another command since")
    if command.state.ended:
        return command
    after = replace(command, state=ack.state, progress=ack.progress, refusal=ack.refusal)
    if ack.state.ended:
        after = replace(after, outcome=ack.detail or str(ack.state), ended_at=ack.at)
    return command if after == command else replace(after, revision=command.revision + 1)


class Leased(NamedTuple):
    """An open command, the agent that has it ("" = none yet), and the end of that agent's lease."""

    command: Command
    holder: str
    until: datetime | None


def leasable(
    of_region: Iterable[Leased], holder: str, now: datetime, duration: timedelta
) -> Collection[str]:
    """The ids of a region's open commands, given oldest first, that this agent may have now.

    A lease that ends more than `CLOCK_SET_BACK` later than one taken now was taken before the clock was
    set back: it counts no more. A command waits for older ones about its pools that another agent has:
    agents take the order in which commands reach them for their age.
    """
    free: dict[str, None] = {}
    elsewhere: set[PoolKey] = set()
    for command, by, until in of_region:
        ended = until is None or not now < until <= now + duration + CLOCK_SET_BACK
        waits = not elsewhere.isdisjoint(command.order.pools)
        if by == holder or (ended and not waits):
            free[command.command_id] = None
        else:
            elsewhere.update(command.order.pools)
    return free


def leased(command: Command) -> Command:
    """The command in an agent's hands; itself when it was there already."""
    if command.state is CommandState.LEASED:
        return command
    return replace(command, state=CommandState.LEASED, revision=command.revision + 1)


def cancelled(command: Command, *, etag: str, author: str, now: datetime) -> Command:
    """The command ended by a person. Raises CommandFinished, StaleEtag."""
    if command.state.ended:
        raise CommandFinished(f"command {command.command_id} is {command.state}")
    if etag and etag != str(command.revision):
        raise StaleEtag(
            f"command {command.command_id} has revision {command.revision}, not {etag}",
            remedy="read it again",
        )
    return _ended(command, CommandState.CANCELLED, f"cancelled by {author}", now)


def superseded(command: Command, by: str, now: datetime) -> Command:
    """The pending command that a newer one about the same pools makes void."""
    return _ended(command, CommandState.CANCELLED, f"superseded by {by}", now)


def expired(command: Command, now: datetime) -> Command:
    """The command that nobody ended in time."""
    who = "the agent" if command.state is CommandState.LEASED else "nobody"
    return _ended(
        command,
        CommandState.EXPIRED,
        f"{who} had it when its deadline {command.not_after.isoformat()} passed",
        now,
    )


def overdue(command: Command, leased_until: datetime | None, now: datetime) -> bool:
    """True when the deadline passed, and no agent holds a lease on it or OVERDUE_GRACE passed too."""
    if command.state.ended or command.not_after > now:
        return False
    held = leased_until is not None and leased_until > now
    return not held or command.not_after + OVERDUE_GRACE <= now


def same_request(stored: Command, asked: Order) -> Command:
    """The stored command of a `request_id` that comes again. Raises RequestIdReused when the orders
    differ."""
    if stored.order != asked:
        raise RequestIdReused(
            f"request {stored.request_id} already ordered something else:"
            f" {stored.order} as command {stored.command_id}, now {asked}",
            remedy="send a fresh request_id for a new intent",
        )
    return stored


def rivals(command: Command, pending: Iterable[Command]) -> tuple[Command, ...]:
    """Those of the pending commands that are about a pool of this one."""
    pools = set(command.order.pools)
    return tuple(other for other in pending if pools.intersection(other.order.pools))


def _ended(command: Command, state: CommandState, outcome: str, now: datetime) -> Command:
    return replace(
        command, state=state, outcome=outcome, ended_at=now, revision=command.revision + 1
    )


def override_ended(override: Override, now: datetime) -> Override:
    """The override, over at `now` (a second after its creation at the earliest).

    Raises OverrideExpired when it was over before.
    """
    if override.expires_at <= now:
        raise OverrideExpired(
            f"override {override.override_id} ended at {override.expires_at.isoformat()}"
        )
    return replace(override, expires_at=max(now, override.created_at + timedelta(seconds=1)))


def numbered(command: Command, command_id: str, plan: CapacityPlan | None) -> Command:
    """A new command with the id that the store gave, and the version of the plan it was made with."""
    version = command.plan_version if plan is None else plan.version
    return replace(command, command_id=command_id, plan_version=version)


def check_requests(commands: Iterable[Command]) -> None:
    """Raise RequestIdReused when two commands of one decision carry the same `request_id`."""
    seen: set[str] = set()
    for command in commands:
        if command.request_id and command.request_id in seen:
            raise RequestIdReused(f"request {command.request_id} appears twice in one decision")
        seen.add(command.request_id)


def is_replay(decision: Decision, known: Sequence[Command | None]) -> bool:
    """True when the decision is only commands that were all stored before: nothing to do."""
    news = decision.plan or decision.approves or decision.tables or decision.mode
    return bool(known) and all(known) and not news


def check_basis(basis: Basis, standing: Basis) -> None:
    """Raise OutdatedDecision when more is stored than the decision was made from."""
    last, version = standing.last_command_id or "", standing.plan_version or 0
    if basis.last_command_id is not None and last > basis.last_command_id:
        changed = f"command {last} was stored"
    elif basis.plan_version is not None and version > basis.plan_version:
        changed = f"plan {version} was stored"
    elif basis.modes is not None and basis.modes != standing.modes:
        changed = "a mode changed"
    else:
        return
    raise OutdatedDecision(
        f"{changed} while this was decided", remedy="read again and decide again"
    )


def topics_of(decision: Decision) -> tuple[Topic, ...]:
    """What listeners should look at once the decision is committed."""
    changed = (
        (Topic.PLAN, decision.plan is not None or decision.approves is not None),
        (Topic.COMMANDS, bool(decision.commands)),
        (Topic.ROUTING, bool(decision.tables)),
    )
    return tuple(topic for topic, is_changed in changed if is_changed)


def cancelled_command_record(command_id: str, author: str, now: datetime) -> AuditRecord:
    """What the audit log says of a cancelled command."""
    return AuditRecord(
        at=now, author=author, action="cancel-command", subject=f"command {command_id}"
    )


def cancelled_override_record(override_id: str, author: str, now: datetime) -> AuditRecord:
    """What the audit log says of a cancelled override."""
    return AuditRecord(
        at=now, author=author, action="cancel-override", subject=f"override {override_id}"
    )
