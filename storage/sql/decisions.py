"""Whole decisions and plans on SQL; one transaction each, behind the fence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from heliostat.errors import UnknownPlan
from heliostat.model.command import Command
from heliostat.model.instants import Span, to_epoch
from heliostat.model.plan import CapacityPlan, PlanOrigin
from heliostat.model.routing import RoutingTable
from heliostat.ports.decisions import Basis, Committed, Decision
from storage import life
from storage.codec import dumps, loads_once
from storage.sql.audit import SqlAudit
from storage.sql.counters import next_number
from storage.sql.database import Database, Transaction
from storage.sql.dropping import drop
from storage.sql.governing import SqlModes, SqlOverrides
from storage.sql.leadership import SqlLeadership
from storage.sql.outbox import SqlOutbox
from storage.sql.routing import SqlRouting
from storage.sql.tables import plans


class SqlPlans:
    """Keeps `PlanLedger`'s promise in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, tx: Transaction, plan: CapacityPlan) -> CapacityPlan:
        """Keep a plan under the next version, for the decision store."""
        numbered = replace(plan, version=next_number(self._database, tx, "plan"))
        tx.connection.execute(
            insert(plans).values(
                version=numbered.version,
                origin=numbered.origin.value,
                created_at=to_epoch(numbered.created_at),
                document=dumps(numbered),
            )
        )
        return numbered

    def approve(self, tx: Transaction, version: int) -> None:
        """Mark a stored plan, for the decision store. Raises UnknownPlan."""
        origin = PlanOrigin.APPROVED
        approved = replace(self._find(tx.connection, version), origin=origin)
        tx.connection.execute(
            update(plans)
            .where(plans.c.version == version)
            .values(origin=origin.value, document=dumps(approved))
        )

    def newest_version(self, connection: Connection) -> int:
        """The version of the newest plan that was not merely proposed; 0 before the first."""
        query = select(func.max(plans.c.version))
        found = connection.execute(query.where(plans.c.origin != PlanOrigin.PROPOSED.value))
        return found.scalar() or 0

    def latest_plan(self) -> CapacityPlan | None:
        with self._database.read() as connection:
            version = self.newest_version(connection)
            return self._find(connection, version) if version else None

    def plan(self, version: int) -> CapacityPlan:
        with self._database.read() as connection:
            return self._find(connection, version)

    def plans(
        self, span: Span, *, after_version: int = 0, limit: int = 100
    ) -> tuple[CapacityPlan, ...]:
        c = plans.c
        query = (
            select(c.document)
            .where(c.created_at >= to_epoch(span.start), c.created_at < to_epoch(span.end))
            .where(c.version > after_version)
            .order_by(c.version)
            .limit(limit)
        )
        with self._database.read() as connection:
            documents = connection.execute(query).scalars()
            return tuple(loads_once(CapacityPlan, document) for document in documents)

    def prune(self, created_before: datetime) -> int:
        with self._database.read() as connection:
            newest = self.newest_version(connection)
        c = plans.c
        old = c.created_at < to_epoch(created_before)
        return drop(self._database, plans, old, c.version < newest)

    def _find(self, connection: Connection, version: int) -> CapacityPlan:
        query = select(plans.c.document).where(plans.c.version == version)
        document = connection.execute(query).scalar()
        if document is None:
            raise UnknownPlan(version)
        return loads_once(CapacityPlan, document)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlDecisions:
    """Keeps `DecisionStore`'s promise in one transaction per decision."""

    database: Database
    leadership: SqlLeadership
    plans: SqlPlans
    routing: SqlRouting
    outbox: SqlOutbox
    overrides: SqlOverrides
    modes: SqlModes
    audit: SqlAudit

    def commit(self, decision: Decision, *, epoch: int) -> Committed:
        life.check_requests(decision.commands)
        with self.database.write() as tx:
            # Alone, since the same request may come twice at once, and what stands must stay.
            self.leadership.check(tx, epoch, alone=True)
            known = tuple(self.outbox.find_request(tx, c) for c in decision.commands)
            if life.is_replay(decision, known):
                return Committed(plan=None, commands=tuple(filter(None, known)), tables=())
            if decision.basis != Basis():
                life.check_basis(decision.basis, self._standing(tx.connection))
            tx.tell(*life.topics_of(decision))
            return self._keep(tx, decision, known)

    def _standing(self, connection: Connection) -> Basis:
        return Basis(
            last_command_id=self.outbox.newest_id(connection),
            plan_version=self.plans.newest_version(connection),
            modes=self.modes.within(connection),
        )

    def _keep(
        self, tx: Transaction, decision: Decision, known: tuple[Command | None, ...]
    ) -> Committed:
        if decision.approves is not None:
            self.plans.approve(tx, decision.approves)
        plan = None if decision.plan is None else self.plans.put(tx, decision.plan)
        commands = self._order(tx, decision.commands, known, plan)
        tables: tuple[RoutingTable, ...] = ()
        if decision.tables:
            newest = self.plans.newest_version(tx.connection)
            tables = self.routing.put(tx, decision.tables, newest)
        for override in decision.overrides:
            self.overrides.put(tx, override)
        if decision.mode is not None:
            self.modes.put(tx, decision.mode)
        for record in decision.audit:
            self.audit.put(tx, record)
        return Committed(plan=plan, commands=commands, tables=tables)

    def _order(
        self,
        tx: Transaction,
        asked: tuple[Command, ...],
        known: tuple[Command | None, ...],
        plan: CapacityPlan | None,
    ) -> tuple[Command, ...]:
        """Keep the new commands; what was pending about their pools before is superseded."""
        pending = self.outbox.pending(tx) if asked else ()
        ordered = []
        for command, stored in zip(asked, known, strict=True):
            new = stored or life.numbered(command, self.outbox.next_id(tx), plan)
            ordered.append(new)
            if stored is not None:
                continue
            rivals = life.rivals(new, pending)
            for rival in rivals:
                self.outbox.supersede(tx, rival, new)
            pending = tuple(command for command in pending if command not in rivals)
            self.outbox.put(tx, new)
        return tuple(ordered)
