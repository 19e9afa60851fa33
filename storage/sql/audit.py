"""The audit log on SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from heliostat.model.governance import AuditEntry, AuditPlace, AuditQuery, AuditRecord
from heliostat.model.instants import Span, to_epoch
from storage.codec import dumps, loads
from storage.sql.database import Database, Transaction
from storage.sql.dropping import drop
from storage.sql.tables import audit_records

_c = audit_records.c


class SqlAudit:
    """Keeps `AuditLog`'s promise in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, record: AuditRecord) -> None:
        with self._database.write() as tx:
            self.put(tx, record)

    def put(self, tx: Transaction, record: AuditRecord) -> None:
        """Append inside the caller's transaction."""
        tx.connection.execute(
            insert(audit_records).values(
                at=to_epoch(record.at),
                author=record.author,
                action=record.action,
                subject=record.subject,
                document=dumps(record),
            )
        )

    def records(self, span: Span, *, limit: int = 1000) -> tuple[AuditRecord, ...]:
        return tuple(entry.record for entry in self.entries(AuditQuery(span=span), limit=limit))

    def entries(
        self, query: AuditQuery, *, after: AuditPlace | None = None, limit: int = 1000
    ) -> tuple[AuditEntry, ...]:
        rows = select(_c.id, _c.document).where(*_matching(query))
        if after is not None:
            rows = rows.where(tuple_(_c.at, _c.id) > (to_epoch(after[0]), after[1]))
        with self._database.read() as connection:
            found = connection.execute(rows.order_by(_c.at, _c.id).limit(limit))
            return tuple(
                AuditEntry(number=number, record=loads(AuditRecord, document))
                for number, document in found
            )

    def prune(self, before: datetime) -> int:
        # The last one stays: SQLite counts on from the highest number that it finds.
        last = select(func.max(_c.id)).scalar_subquery()
        return drop(self._database, audit_records, _c.at < to_epoch(before), _c.id < last)


def _matching(query: AuditQuery) -> list[ColumnElement[bool]]:
    where = [_c.at >= to_epoch(query.span.start), _c.at < to_epoch(query.span.end)]
    for column, wanted in ((_c.author, query.authors), (_c.action, query.actions)):
        if wanted:
            where.append(column.in_(sorted(wanted)))
    return where
