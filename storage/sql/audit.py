"""The audit log on SQL."""

from __future__ import annotations

from sqlalchemy import insert, select

from heliostat.model.governance import AuditRecord
from heliostat.model.instants import Span, to_epoch
from storage.codec import dumps, loads
from storage.sql.database import Database, Transaction
from storage.sql.tables import audit_records


class SqlAudit:
    """Keeps `AuditLog`'s promise in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, record: AuditRecord) -> None:
        with self._database.write() as tx:
            self.put(tx, record)

    def put(self, tx: Transaction, record: AuditRecord) -> None:
        """Append inside somebody's transaction."""
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
        c = audit_records.c
        query = (
            select(c.document)
            .where(c.at >= to_epoch(span.start), c.at < to_epoch(span.end))
            .order_by(c.at, c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            documents = connection.execute(query).scalars()
            return tuple(loads(AuditRecord, document) for document in documents)
