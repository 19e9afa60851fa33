"""Whole decisions, plans and routing tables on SQL; one transaction each, behind the fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, insert, select, update

from heliostat.errors import UnknownPlan, UnknownRoutingTable
from heliostat.model.command import Command
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import RegionName
from heliostat.model.plan import CapacityPlan, PlanOrigin
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import Committed, Decision
from storage import life
from storage.codec import dumps, loads, loads_once
from storage.numbering import routing_version
from storage.sql.audit import SqlAudit
from storage.sql.counters import next_number
from storage.sql.database import Database, Transaction, put_many
from storage.sql.governing import SqlModes, SqlOverrides
from storage.sql.leadership import SqlLeadership
from storage.sql.outbox import SqlOutbox
from storage.sql.tables import plans, routing_acks, routing_tables


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

    def _find(self, connection: Connection, version: int) -> CapacityPlan:
        query = select(plans.c.document).where(plans.c.version == version)
        document = connection.execute(query).scalar()
        if document is None:
            raise UnknownPlan(version)
        return loads_once(CapacityPlan, document)


class SqlRouting:
    """Keeps `RoutingLedger`'s promise in tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, tx: Transaction, tables: tuple[RoutingTable, ...], plan_version: int
    ) -> tuple[RoutingTable, ...]:
        """Publish tables under the next version, for the decision store."""
        version = routing_version(next_number(self._database, tx, "routing"))
        numbered = tuple(replace(t, version=version, plan_version=plan_version) for t in tables)
        tx.connection.execute(
            insert(routing_tables),
            [{"origin": t.origin, "version": version, "document": dumps(t)} for t in numbered],
        )
        return numbered

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        c = routing_tables.c
        newest = select(c.origin, func.max(c.version).label("version")).group_by(c.origin)
        newest_of = newest.subquery()
        query = select(c.document).join(
            newest_of, (c.origin == newest_of.c.origin) & (c.version == newest_of.c.version)
        )
        with self._database.read() as connection:
            documents = connection.execute(query).scalars()
            found = [loads_once(RoutingTable, document) for document in documents]
        return tuple(sorted(found, key=lambda table: table.origin))

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        c = routing_tables.c
        query = select(c.document).where(c.origin == origin)
        if version:
            query = query.where(c.version == version)
        with self._database.read() as connection:
            document = connection.execute(query.order_by(c.version.desc()).limit(1)).scalar()
        if document is None:
            raise UnknownRoutingTable(f"{origin} {version}".rstrip())
        return loads_once(RoutingTable, document)

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        rows = [
            {
                "origin": ack.origin,
                "gateway_id": ack.gateway_id,
                "at": to_epoch(ack.at),
                "document": dumps(ack),
            }
            for ack in acks
        ]
        insertion = self._database.insert(routing_acks)
        new = insertion.excluded
        with self._database.write() as tx:
            put_many(
                tx,
                insertion.on_conflict_do_update(
                    index_elements=["origin", "gateway_id"],
                    set_={"at": new.at, "document": new.document},
                    where=new.at >= routing_acks.c.at,
                ),
                rows,
            )

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        query = select(routing_acks.c.document)
        if origin is not None:
            query = query.where(routing_acks.c.origin == origin)
        with self._database.read() as connection:
            found = [loads(RoutingAck, doc) for doc in connection.execute(query).scalars()]
        return tuple(sorted(found, key=lambda ack: (ack.origin, ack.gateway_id)))


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
            # Alone, since the same request may come twice at once.
            self.leadership.check(tx, epoch, alone=True)
            known = tuple(self.outbox.find_request(tx, c) for c in decision.commands)
            if life.is_replay(decision, known):
                return Committed(plan=None, commands=tuple(filter(None, known)), tables=())
            tx.tell(*life.topics_of(decision))
            return self._keep(tx, decision, known)

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
