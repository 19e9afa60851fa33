"""The port of stored decisions: plans, routing tables, commands, overrides, modes; fenced by epoch.

An *epoch* grows with each leadership. Every write that decides something names its epoch, which is
checked in the same transaction: a leader that woke too late writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from heliostat.model.command import Acknowledgement, Command, CommandState, Order
from heliostat.model.governance import (
    AuditEntry,
    AuditPlace,
    AuditQuery,
    AuditRecord,
    Modes,
    ModeSetting,
    Override,
)
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey, RegionName
from heliostat.model.plan import CapacityPlan
from heliostat.model.routing import RoutingAck, RoutingTable

CLOCK_SET_BACK = timedelta(minutes=1)
"""By more than this no word is late: what is stored was said by a clock that ran ahead. A lease, a table or a
forecast from further in the future counts no more either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a decision was made from, as far as another decision may change it; None = any."""

    last_command_id: str | None = None
    """The newest command's id; "" before the first."""
    plan_version: int | None = None
    """The version of the newest plan that was not merely proposed; 0 before the first."""
    modes: Modes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one tick decided, stored in one transaction or not at all.

    A command in `commands` supersedes every pending command about the same pools.
    """

    basis: Basis = Basis()
    """What must still stand when the decision is stored."""

    plan: CapacityPlan | None = None
    approves: int | None = None
    """The version of a stored plan whose origin is approved from now on; None = of none."""
    commands: tuple[Command, ...] = ()
    tables: tuple[RoutingTable, ...] = ()
    overrides: tuple[Override, ...] = ()
    mode: ModeSetting | None = None
    audit: tuple[AuditRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A stored decision, with the versions assigned by the store."""

    plan: CapacityPlan | None
    commands: tuple[Command, ...]
    """In the order given; a command whose `request_id` came before is the stored one."""
    tables: tuple[RoutingTable, ...]


class DecisionStore(Protocol):
    """Stores whole decisions."""

    def commit(self, decision: Decision, *, epoch: int) -> Committed:
        """Store everything or nothing; a decision whose only news are commands that were all stored
        before (same `request_id`) changes nothing. Plan versions, routing versions and command ids are given
        here and grow, also across epochs; commands made with a plan get its version, tables the
        version of the newest plan.

        Raises Fenced when the epoch is over, RequestIdReused when a `request_id` came before with
        another order, UnknownPlan when the plan that it approves is not stored, OutdatedDecision when
        a newer command, a newer plan or other modes than those of its `basis` were stored meanwhile:
        read again, decide again.
        """
        ...


class PlanLedger(Protocol):
    """Reads stored plans."""

    def latest_plan(self) -> CapacityPlan | None:
        """The newest plan that was not merely proposed; None before the first."""
        ...

    def plan(self, version: int) -> CapacityPlan:
        """Raises UnknownPlan."""
        ...

    def plans(
        self, span: Span, *, after_version: int = 0, limit: int = 100
    ) -> tuple[CapacityPlan, ...]:
        """Plans made inside the span with a version above `after_version`, oldest first."""
        ...

    def prune(self, created_before: datetime) -> int:
        """Drop plans that were made before, never the newest that was not merely proposed nor what
        came after it; returns how many. Versions are not given again."""
        ...


class RoutingLedger(Protocol):
    """Reads published tables and stores gateways' acknowledgements."""

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        """The newest table of each origin; () before the first."""
        ...

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        """The table of that version, or the newest. Raises UnknownRoutingTable."""
        ...

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        """Store the newest acknowledgement per (origin, gateway), all or none; repeatable; not fenced.

        An older one that arrives later is dropped, unless it is older by more than `CLOCK_SET_BACK`:
        acknowledgements are stored within seconds, so the clock was set back.
        """
        ...

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        """The newest acknowledgement of each gateway."""
        ...

    def prune(self, valid_before: datetime, heard_before: datetime) -> int:
        """Drop tables that are valid from before the one instant, never an origin's newest, and the
        words of gateways that were last heard of before the other; returns how many. Versions are not
        given again."""
        ...


class CommandOutbox(Protocol):
    """Commands on their way to agents: at-least-once, stable ids, leases, expiry."""

    def lease(
        self, region: RegionName, holder: str, now: datetime, duration: timedelta
    ) -> tuple[Command, ...]:
        """Commands of the region that are pending, leased to `holder` already, or whose lease ran
        out: leased to `holder` until `now + duration`, oldest first. Repeatable.

        A lease that ends more than `CLOCK_SET_BACK` after `now + duration` has run out too. A command
        waits for older ones about its pools that another holder has, so that no older one follows it.
        """
        ...

    def acknowledge(self, ack: Acknowledgement) -> Command:
        """Take in what an agent said and return the command as it stands.

        Idempotent: an ended command stays as it is. An agent's word counts under any epoch.
        Raises UnknownCommand, also for a word on another command that had the id before.
        """
        ...

    def command(self, command_id: str) -> Command:
        """Raises UnknownCommand."""
        ...

    def requested(self, request_id: str, order: Order) -> Command | None:
        """The stored command of that request; None when it never came, or is "". Raises
        RequestIdReused when it ordered something else."""
        ...

    def commands(
        self,
        *,
        region: RegionName | None = None,
        states: Sequence[CommandState] = (),
        created: Span | None = None,
        newest_first: bool = False,
        after_id: str = "",
        limit: int = 100,
    ) -> tuple[Command, ...]:
        """The first matching commands behind the one of that id, in order of their ids, which sort by
        creation: oldest first, or newest first."""
        ...

    def count(
        self,
        *,
        region: RegionName | None = None,
        states: Sequence[CommandState] = (),
        created: Span | None = None,
    ) -> int:
        """The number of matching commands."""
        ...

    def cancel(
        self, command_id: str, *, etag: str, author: str, now: datetime, epoch: int
    ) -> Command:
        """End a command as cancelled, with an audit record. A leased command's agent learns of it
        through its stream and lets go at the next safe point. Empty `etag` = whatever revision.
        Raises UnknownCommand, CommandFinished, StaleEtag, Fenced."""
        ...

    def expire(self, now: datetime, *, epoch: int) -> tuple[Command, ...]:
        """End overdue commands: pending ones at their deadline, leased ones when also their lease
        ran out, or a quarter of an hour after their deadline whatever the lease. Returns those it ended.
        Raises Fenced."""
        ...

    def last_changes(self) -> tuple[tuple[PoolKey, datetime], ...]:
        """Per pool, when the command about it that was stored last was created, also where that was
        dropped since. An instant in the future is of a clock that was set back."""
        ...

    def last_commands(self) -> tuple[tuple[PoolKey, str], ...]:
        """Per pool the id of the command of its last change, unless that was dropped since: instants are
        whole seconds, in which more than one may come."""
        ...

    def prune(self, created_before: datetime) -> int:
        """Drop commands that were created before and have ended; returns how many. Their ids are not
        given again; their `request_id` is forgotten."""
        ...


class OverrideBook(Protocol):
    """Manual targets."""

    def overrides(self, now: datetime) -> tuple[Override, ...]:
        """Those in force at `now`, by pool; a newer one for a pool replaces an older one for good, so
        that nothing comes back when the newer one ends."""
        ...

    def override(self, override_id: str) -> Override:
        """Raises UnknownOverride."""
        ...

    def cancel_override(
        self, override_id: str, *, author: str, now: datetime, epoch: int
    ) -> Override:
        """End it now, with an audit record. Raises UnknownOverride, OverrideExpired, Fenced."""
        ...


class ModeBook(Protocol):
    """Mode settings."""

    def modes(self) -> Modes:
        """All settings; empty on first start, which means advisory."""
        ...


class AuditLog(Protocol):
    """The audit log: append-only until retention deletes the oldest records."""

    def note(self, record: AuditRecord) -> None:
        """Append; not fenced, since refused acts are recorded too."""
        ...

    def records(self, span: Span, *, limit: int = 1000) -> tuple[AuditRecord, ...]:
        """Records inside the span, oldest first."""
        ...

    def entries(
        self, query: AuditQuery, *, after: AuditPlace | None = None, limit: int = 1000
    ) -> tuple[AuditEntry, ...]:
        """The first matching records behind that place (None = from the beginning), by place."""
        ...

    def prune(self, before: datetime) -> int:
        """Drop records from before, all but the last one noted; returns how many. Numbers are not given
        again."""
        ...
