"""Whole decisions, plans and routing tables in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from threading import RLock

from heliostat.errors import UnknownPlan, UnknownRoutingTable
from heliostat.model.command import Command
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.plan import CapacityPlan, PlanOrigin
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import CLOCK_SET_BACK, Basis, Committed, Decision
from storage import life
from storage.memory.audit import MemoryAudit
from storage.memory.governing import MemoryModes, MemoryOverrides
from storage.memory.leadership import MemoryLeadership
from storage.memory.outbox import MemoryOutbox
from storage.notify import ChangeFeed
from storage.numbering import routing_version


class MemoryPlans:
    """Keeps `PlanLedger`'s promise in a dictionary by version, which grows."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._plans: dict[int, CapacityPlan] = {}
        self._made = 0

    def put(self, plan: CapacityPlan) -> CapacityPlan:
        """Keep a plan under the next version, for the decision store."""
        self._made += 1
        numbered = self._plans[self._made] = replace(plan, version=self._made)
        return numbered

    def approve(self, version: int) -> None:
        """Mark a stored plan, for the decision store."""
        self._plans[version] = replace(self.plan(version), origin=PlanOrigin.APPROVED)

    def latest_plan(self) -> CapacityPlan | None:
        with self._lock:
            newest_first = reversed(self._plans.values())
            return next((p for p in newest_first if p.origin is not PlanOrigin.PROPOSED), None)

    def plan(self, version: int) -> CapacityPlan:
        with self._lock:
            if version not in self._plans:
                raise UnknownPlan(version)
            return self._plans[version]

    def plans(
        self, span: Span, *, after_version: int = 0, limit: int = 100
    ) -> tuple[CapacityPlan, ...]:
        with self._lock:
            newest_first = reversed(self._plans.values())
            later = list(takewhile(lambda plan: plan.version > after_version, newest_first))
        return tuple([plan for plan in reversed(later) if plan.created_at in span][:limit])

    def prune(self, created_before: datetime) -> int:
        with self._lock:
            newest = self.latest_plan()
            kept = newest.version if newest is not None else 0
            oldest_first = takewhile(lambda plan: plan.version < kept, self._plans.values())
            old = [plan.version for plan in oldest_first if plan.created_at < created_before]
            for version in old:
                del self._plans[version]
            return len(old)


class MemoryRouting:
    """Keeps `RoutingLedger`'s promise in dictionaries."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._published = 0
        self._tables: dict[RegionName, dict[str, RoutingTable]] = {}
        """Each origin's by version, which grows: the newest is the last one."""
        self._acks: dict[tuple[RegionName, str], RoutingAck] = {}

    def put(self, tables: tuple[RoutingTable, ...], plan_version: int) -> tuple[RoutingTable, ...]:
        """Publish tables under the next version, for the decision store."""
        self._published += 1
        version = routing_version(self._published)
        numbered = tuple(replace(t, version=version, plan_version=plan_version) for t in tables)
        for table in numbered:
            self._tables.setdefault(table.origin, {})[version] = table
        return numbered

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        with self._lock:
            return tuple(
                versions[next(reversed(versions))] for _, versions in sorted(self._tables.items())
            )

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        with self._lock:
            versions = self._tables.get(origin, {})
            found = versions.get(version or next(reversed(versions), ""))
        if found is None:
            raise UnknownRoutingTable(f"{origin} {version}".rstrip())
        return found

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        with self._lock:
            for ack in acks:
                place = (ack.origin, ack.gateway_id)
                before = self._acks.get(place)
                is_late = before is not None and ack.at < before.at <= ack.at + CLOCK_SET_BACK
                if not is_late:
                    self._acks[place] = ack

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        with self._lock:
            places = sorted(self._acks)
            return tuple(self._acks[p] for p in places if origin is None or p[0] == origin)

    def prune(self, valid_before: datetime, heard_before: datetime) -> int:
        with self._lock:
            silent = [place for place, ack in self._acks.items() if ack.at < heard_before]
            for place in silent:
                del self._acks[place]
            return len(silent) + sum(
                _drop_older(versions, valid_before) for versions in self._tables.values()
            )


def _drop_older(versions: dict[str, RoutingTable], valid_before: datetime) -> int:
    """Drop one origin's tables from before, its newest aside."""
    newest = next(reversed(versions))
    old = [v for v, table in versions.items() if table.valid_from < valid_before and v != newest]
    for version in old:
        del versions[version]
    return len(old)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryDecisions:
    """Keeps `DecisionStore`'s promise: everything is checked before anything is kept."""

    leadership: MemoryLeadership
    plans: MemoryPlans
    routing: MemoryRouting
    outbox: MemoryOutbox
    overrides: MemoryOverrides
    modes: MemoryModes
    audit: MemoryAudit
    feed: ChangeFeed
    lock: RLock

    def commit(self, decision: Decision, *, epoch: int) -> Committed:
        with self.lock:
            self.leadership.check(epoch)
            known = self._known(decision.commands)
            if life.is_replay(decision, known):
                return Committed(plan=None, commands=tuple(filter(None, known)), tables=())
            life.check_basis(decision.basis, self._standing())
            committed = self._keep(decision, known)
        self.feed.publish(life.topics_of(decision))
        return committed

    def _standing(self) -> Basis:
        newest = self.plans.latest_plan()
        return Basis(
            last_command_id=self.outbox.newest_id(),
            plan_version=newest.version if newest else 0,
            modes=self.modes.modes(),
        )

    def _known(self, commands: tuple[Command, ...]) -> tuple[Command | None, ...]:
        life.check_requests(commands)
        return tuple(self.outbox.find_request(command) for command in commands)

    def _keep(self, decision: Decision, known: tuple[Command | None, ...]) -> Committed:
        if decision.approves is not None:
            self.plans.approve(decision.approves)
        plan = None if decision.plan is None else self.plans.put(decision.plan)
        pending = self.outbox.pending()
        commands = tuple(
            stored or self._order(command, plan, pending)
            for command, stored in zip(decision.commands, known, strict=True)
        )
        tables: tuple[RoutingTable, ...] = ()
        if decision.tables:
            newest = self.plans.latest_plan()
            tables = self.routing.put(decision.tables, newest.version if newest else 0)
        for override in decision.overrides:
            self.overrides.put(override)
        if decision.mode is not None:
            self.modes.put(decision.mode)
        for record in decision.audit:
            self.audit.note(record)
        return Committed(plan=plan, commands=commands, tables=tables)

    def _order(
        self, command: Command, plan: CapacityPlan | None, pending: tuple[Command, ...]
    ) -> Command:
        new = life.numbered(command, self.outbox.next_id(), plan)
        for rival in life.rivals(new, pending):
            self.outbox.supersede(rival.command_id, new)
        self.outbox.put(new)
        return new
