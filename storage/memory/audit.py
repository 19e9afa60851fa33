"""The audit log in memory."""

from __future__ import annotations

from threading import RLock

from heliostat.model.governance import AuditEntry, AuditPlace, AuditQuery, AuditRecord
from heliostat.model.instants import Span


class MemoryAudit:
    """Keeps `AuditLog`'s promise in a list."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._records: list[AuditRecord] = []

    def note(self, record: AuditRecord) -> None:
        with self._lock:
            self._records.append(record)

    def records(self, span: Span, *, limit: int = 1000) -> tuple[AuditRecord, ...]:
        return tuple(entry.record for entry in self.entries(AuditQuery(span=span), limit=limit))

    def entries(
        self, query: AuditQuery, *, after: AuditPlace | None = None, limit: int = 1000
    ) -> tuple[AuditEntry, ...]:
        with self._lock:
            kept = list(enumerate(self._records, start=1))
        found = (
            AuditEntry(number=number, record=record)
            for number, record in kept
            if query.matches(record)
        )
        behind = (entry for entry in found if after is None or entry.place > after)
        return tuple(sorted(behind, key=lambda entry: entry.place)[:limit])
