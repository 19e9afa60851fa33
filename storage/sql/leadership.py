"""Leadership as one row, on the database's own clock, and the fence that reads it."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from heliostat.errors import DatabaseInUse, Fenced, LeaseLost, SecondControlPlane
from heliostat.model.instants import from_epoch
from heliostat.ports.leadership import Lease
from storage.sql.database import Database, Transaction
from storage.sql.tables import leadership

_ROW = 1


class _Standing(NamedTuple):
    """The row, and whether its lease is in force by the database's clock."""

    epoch: int
    holder: str
    address: str
    expires_at: float
    in_force: bool


class SqlLeadership:
    """Keeps `Leadership`'s promise in the row that every fenced write locks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, holder: str, address: str, ttl: timedelta) -> Lease | None:
        with self._database.write() as tx:
            held = self._locked(tx)
            if held.in_force and held.holder != holder:
                self._refuse_second(held)
                return None
            epoch = held.epoch if held.in_force else held.epoch + 1
            return self._put(tx, holder, address, epoch, ttl)

    def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        with self._database.write() as tx:
            held = self._locked(tx)
            if not held.in_force or (held.holder, held.epoch) != (lease.holder, lease.epoch):
                raise LeaseLost(f"{lease.holder} no longer leads in epoch {lease.epoch}")
            return self._put(tx, held.holder, held.address, held.epoch, ttl)

    def release(self, lease: Lease) -> None:
        with self._database.write() as tx:
            tx.connection.execute(
                update(leadership)
                .where(
                    leadership.c.id == _ROW,
                    leadership.c.holder == lease.holder,
                    leadership.c.epoch == lease.epoch,
                )
                .values(expires_at=0)
            )

    def current(self) -> Lease | None:
        with self._database.read() as connection:
            row = self._select(connection)
        return _lease(row) if row is not None and row.in_force else None

    def check(self, tx: Transaction, epoch: int, *, alone: bool = False) -> None:
        """Raise Fenced unless a leader leads in this epoch now; nobody else can until `tx` ends.

        `alone` = other fenced writes wait until then, too.
        """
        self._lock(tx, only_against_holders=not alone)
        row = self._select(tx.connection)
        if row is None or not row.in_force or row.epoch != epoch:
            raise Fenced(
                f"epoch {epoch} is over", remedy="stop deciding; another control plane may lead"
            )

    def check_free(self, tx: Transaction) -> None:
        """Raise DatabaseInUse while a leader's lease is in force; none can begin until `tx` ends."""
        held = self._locked(tx)
        if held.in_force:
            raise DatabaseInUse(
                f"{held.holder} at {held.address} leads on this database until "
                f"{from_epoch(int(held.expires_at)).isoformat()}",
                remedy="stop every control plane first; a lease runs out by itself",
            )

    def _locked(self, tx: Transaction) -> _Standing:
        """The row, made if need be, locked against other holders and against fenced writes."""
        nobody = {"id": _ROW, "epoch": 0, "holder": "", "address": "", "expires_at": 0}
        tx.connection.execute(
            self._database.insert(leadership).values(nobody).on_conflict_do_nothing()
        )
        self._lock(tx, only_against_holders=False)
        row = self._select(tx.connection)
        assert row is not None
        return row

    def _lock(self, tx: Transaction, *, only_against_holders: bool) -> None:
        # A statement of its own: the clock must be read after the wait for the lock.
        query = select(leadership.c.id).where(leadership.c.id == _ROW)
        tx.connection.execute(query.with_for_update(read=only_against_holders))

    def _select(self, connection: Connection) -> _Standing | None:
        c = leadership.c
        in_force = (c.expires_at > self._database.now()).label("in_force")
        row = connection.execute(
            select(c.epoch, c.holder, c.address, c.expires_at, in_force).where(c.id == _ROW)
        ).one_or_none()
        return None if row is None else _Standing(*row)

    def _put(self, tx: Transaction, holder: str, address: str, epoch: int, ttl: timedelta) -> Lease:
        tx.connection.execute(
            update(leadership)
            .where(leadership.c.id == _ROW)
            .values(
                holder=holder,
                address=address,
                epoch=epoch,
                expires_at=self._database.now() + ttl.total_seconds(),
            )
        )
        row = self._select(tx.connection)
        assert row is not None
        return _lease(row)

    def _refuse_second(self, held: _Standing) -> None:
        if self._database.is_sqlite:
            raise SecondControlPlane(
                f"{held.holder} at {held.address} holds this SQLite file until "
                f"{from_epoch(int(held.expires_at)).isoformat()}",
                remedy="stop it, wait for its lease to expire, or use PostgreSQL",
            )


def _lease(row: _Standing) -> Lease:
    return Lease(
        holder=row.holder,
        address=row.address,
        epoch=row.epoch,
        expires_at=from_epoch(int(row.expires_at)),
    )
