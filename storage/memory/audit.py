"""The audit log in memory."""

from __future__ import annotations

from threading import RLock

from heliostat.model.governance import AuditRecord
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
        with self._lock:
            found = [record for record in self._records if record.at in span]
        return tuple(sorted(found, key=lambda record: record.at)[:limit])
