"""The audit log in memory."""

from __future__ import annotations

from datetime import datetime
from threading import RLock

from heliostat.model.governance import AuditEntry, AuditPlace, AuditQuery, AuditRecord
from heliostat.model.instants import Span


class MemoryAudit:
    """Keeps `AuditLog`'s promise in a dictionary by number, which grows."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._records: dict[int, AuditRecord] = {}
        self._noted = 0

    def note(self, record: AuditRecord) -> None:
        with self._lock:
            self._noted += 1
            self._records[self._noted] = record

    def records(self, span: Span, *, limit: int = 1000) -> tuple[AuditRecord, ...]:
        return tuple(entry.record for entry in self.entries(AuditQuery(span=span), limit=limit))

    def entries(
        self, query: AuditQuery, *, after: AuditPlace | None = None, limit: int = 1000
    ) -> tuple[AuditEntry, ...]:
        with self._lock:
            kept = list(self._records.items())
        found = (
            AuditEntry(number=number, record=record)
            for number, record in kept
            if query.matches(record)
        )
        behind = (entry for entry in found if after is None or entry.place > after)
        return tuple(sorted(behind, key=lambda entry: entry.place)[:limit])

    def prune(self, before: datetime) -> int:
        with self._lock:
            records = self._records.items()
            old = [n for n, record in records if record.at < before and n != self._noted]
            for number in old:
                del self._records[number]
            return len(old)
