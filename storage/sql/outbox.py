"""The command outbox on SQL: a row is locked before it changes, so that no update is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from heliostat.errors import UnknownCommand
from heliostat.model.command import OPEN_STATES, Acknowledgement, Command, CommandState, Order
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import PoolKey, RegionName
from storage import life
from storage.codec import dumps, loads
from storage.notify import Topic
from storage.numbering import command_id as id_of
from storage.sql.audit import SqlAudit
from storage.sql.counters import next_number
from storage.sql.database import Database, Transaction, put_many
from storage.sql.dropping import drop
from storage.sql.leadership import SqlLeadership
from storage.sql.tables import commands, pool_changes

_OPEN = tuple(state.value for state in OPEN_STATES)
_c = commands.c


class SqlOutbox:
    """Keeps `CommandOutbox`'s promise in tables."""

    def __init__(self, database: Database, leadership: SqlLeadership, audit: SqlAudit) -> None:
        self._database = database
        self._leadership = leadership
        self._audit = audit

    # --- for the decision store, inside its transaction ----------------------------------------

    def find_request(self, tx: Transaction, asked: Command) -> Command | None:
        """The stored command of the same request, None when it is new. Raises RequestIdReused."""
        return _requested(tx.connection, asked.request_id, asked.order)

    def pending(self, tx: Transaction) -> tuple[Command, ...]:
        """Every command that no agent has yet, locked."""
        query = select(_c.document).where(_c.state == CommandState.PENDING.value)
        documents = tx.connection.execute(query.order_by(_c.command_id).with_for_update())
        return tuple(loads(Command, document) for document in documents.scalars())

    def next_id(self, tx: Transaction) -> str:
        """The id that the next command gets."""
        return id_of(next_number(self._database, tx, "command"))

    def newest_id(self, connection: Connection) -> str:
        """The id of the newest command that is kept; "" where none is."""
        return connection.execute(select(func.max(_c.command_id))).scalar() or ""

    def put(self, tx: Transaction, command: Command) -> None:
        """Keep a new command."""
        tx.connection.execute(
            insert(commands).values(
                command_id=command.command_id,
                region=command.region,
                state=command.state.value,
                created_at=to_epoch(command.created_at),
                not_after=to_epoch(command.not_after),
                request_id=command.request_id or None,
                lease_holder="",
                leased_until=None,
                document=dumps(command),
            )
        )
        changed = self._database.insert(pool_changes)
        put_many(
            tx,
            changed.on_conflict_do_update(
                index_elements=["pool"], set_={"changed_at": changed.excluded.changed_at}
            ),
            [
                {"pool": str(pool), "changed_at": to_epoch(command.created_at)}
                for pool in sorted(command.order.pools)
            ],
        )

    def supersede(self, tx: Transaction, command: Command, by: Command) -> None:
        """End a pending command in favour of a newer one."""
        self._change(tx, life.superseded(command, by.command_id, by.created_at))

    # --- the port ----------------------------------------------------------------------------

    def lease(
        self, region: RegionName, holder: str, now: datetime, duration: timedelta
    ) -> tuple[Command, ...]:
        query = select(_c.document, _c.lease_holder, _c.leased_until)
        query = query.where(_c.state.in_(_OPEN), _c.region == region)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return ()
        with self._database.write() as tx:
            rows = tx.connection.execute(query.order_by(_c.command_id).with_for_update())
            held = [_lease_of(*row) for row in rows]
            free = life.leasable(held, holder, now, duration)
            taken = [life.leased(h.command) for h in held if h.command.command_id in free]
            for command in taken:
                self._change(
                    tx, command, lease_holder=holder, leased_until=to_epoch(now + duration)
                )
            return tuple(taken)

    def acknowledge(self, ack: Acknowledgement) -> Command:
        with self._database.write() as tx:
            before = self._locked(tx, ack.command_id)
            after = life.acknowledged(before, ack)
            if after != before:
                self._change(tx, after)
                tx.tell(Topic.WORDS)
            return after

    def command(self, command_id: str) -> Command:
        query = select(_c.document).where(_c.command_id == command_id)
        with self._database.read() as connection:
            document = connection.execute(query).scalar()
        return _found(document, command_id)

    def requested(self, request_id: str, order: Order) -> Command | None:
        with self._database.read() as connection:
            return _requested(connection, request_id, order)

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
        query = select(_c.document).where(*_matching(region, states, created))
        if after_id:
            behind = _c.command_id < after_id if newest_first else _c.command_id > after_id
            query = query.where(behind)
        order = _c.command_id.desc() if newest_first else _c.command_id
        with self._database.read() as connection:
            found = connection.execute(query.order_by(order).limit(limit)).scalars()
            return tuple(loads(Command, document) for document in found)

    def count(
        self,
        *,
        region: RegionName | None = None,
        states: Sequence[CommandState] = (),
        created: Span | None = None,
    ) -> int:
        query = select(func.count()).select_from(commands)
        with self._database.read() as connection:
            found = connection.execute(query.where(*_matching(region, states, created)))
            return found.scalar_one()

    def cancel(
        self, command_id: str, *, etag: str, author: str, now: datetime, epoch: int
    ) -> Command:
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            before = self._locked(tx, command_id)
            after = life.cancelled(before, etag=etag, author=author, now=now)
            self._change(tx, after)
            self._audit.put(tx, life.cancelled_command_record(command_id, author, now))
            tx.tell(Topic.COMMANDS)
            return after

    def expire(self, now: datetime, *, epoch: int) -> tuple[Command, ...]:
        late = (
            select(_c.document, _c.lease_holder, _c.leased_until)
            .where(_c.state.in_(_OPEN), _c.not_after <= to_epoch(now))
            .order_by(_c.command_id)
            .with_for_update()
        )
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            held = [_lease_of(*row) for row in tx.connection.execute(late)]
            ended = tuple(
                life.expired(one.command, now)
                for one in held
                if life.overdue(one.command, one.until, now)
            )
            for command in ended:
                self._change(tx, command)
            if ended:
                tx.tell(Topic.COMMANDS)
            return ended

    def last_changes(self) -> tuple[tuple[PoolKey, datetime], ...]:
        with self._database.read() as connection:
            rows = connection.execute(select(pool_changes.c.pool, pool_changes.c.changed_at))
            return tuple(sorted((PoolKey.parse(pool), from_epoch(at)) for pool, at in rows))

    def last_commands(self) -> tuple[tuple[PoolKey, str], ...]:
        changes = select(pool_changes.c.pool, pool_changes.c.changed_at)
        instants = select(pool_changes.c.changed_at)
        made = select(_c.document).where(_c.created_at.in_(instants)).order_by(_c.command_id)
        with self._database.read() as connection:
            changed = {PoolKey.parse(pool): at for pool, at in connection.execute(changes)}
            last = {
                pool: command.command_id
                for document in connection.execute(made).scalars()
                for command in [loads(Command, document)]
                for pool in command.order.pools
                if changed.get(pool) == to_epoch(command.created_at)
            }
            return tuple(sorted(last.items()))

    def prune(self, created_before: datetime) -> int:
        old = _c.created_at < to_epoch(created_before)
        return drop(self._database, commands, old, _c.state.not_in(_OPEN))

    def _locked(self, tx: Transaction, command_id: str) -> Command:
        query = select(_c.document).where(_c.command_id == command_id)
        return _found(tx.connection.execute(query.with_for_update()).scalar(), command_id)

    def _change(self, tx: Transaction, command: Command, **lease: object) -> None:
        tx.connection.execute(
            update(commands)
            .where(_c.command_id == command.command_id)
            .values(state=command.state.value, document=dumps(command), **lease)
        )


def _requested(connection: Connection, request_id: str, order: Order) -> Command | None:
    if not request_id:
        return None
    query = select(_c.document).where(_c.request_id == request_id)
    document = connection.execute(query).scalar()
    return None if document is None else life.same_request(loads(Command, document), order)


def _matching(
    region: RegionName | None, states: Sequence[CommandState], created: Span | None
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if region is not None:
        wanted.append(_c.region == region)
    if states:
        wanted.append(_c.state.in_([state.value for state in states]))
    if created is not None:
        start, end = to_epoch(created.start), to_epoch(created.end)
        wanted += [_c.created_at >= start, _c.created_at < end]
    return wanted


def _found(document: str | None, command_id: str) -> Command:
    if document is None:
        raise UnknownCommand(command_id)
    return loads(Command, document)


def _lease_of(document: str, holder: str, leased_until: int | None) -> life.Leased:
    until = None if leased_until is None else from_epoch(leased_until)
    return life.Leased(loads(Command, document), holder, until)
