"""Audits refused acts: the first one at once, the same again and again as one record with their count.

An agent that stands by asks every few seconds and is refused each time; one record of each would be
thousands a day, in which nobody finds the others.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.model.governance import AuditRecord
from heliostat.ports.clock import Clock
from heliostat.ports.decisions import AuditLog
from services.control_plane.threads import StoreThreads
from services.log_events import report

_log = logging.getLogger(__name__)

TOLD_AGAIN_AFTER = timedelta(minutes=10)
MOST_COUNTED = 1_000
"""Maximum kinds of refusals counted at once; beyond that each refusal is recorded."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+Z-]+")
"""What changes in the words of a refusal from one time to the next: "held until …"."""

_Kind = tuple[str, str, str, str, str]


@dataclass(slots=True)
class _Known:
    """The last of refusals that are the same, since when they are counted, and how many came."""

    last: AuditRecord
    since: datetime
    repeats: int = 0


class Repeats:
    """Decides which refusals are told, and when the counted ones are."""

    def __init__(self, again_after: timedelta = TOLD_AGAIN_AFTER) -> None:
        self._again_after = again_after
        self._known: dict[_Kind, _Known] = {}

    def heard(self, record: AuditRecord) -> tuple[AuditRecord, ...]:
        """Take in a refusal; what is to be told now: it, or nothing when the same came lately."""
        told = self.due(record.at)
        same = _kind_of(record)
        known = self._known.get(same)
        if known is None:
            if len(self._known) < MOST_COUNTED:
                self._known[same] = _Known(record, record.at)
            return (*told, record)
        known.last, known.repeats = record, known.repeats + 1
        return told

    def due(self, now: datetime, *, all_of_them: bool = False) -> tuple[AuditRecord, ...]:
        """One record for each refusal that came again, once it was counted for long enough, or since an
        instant that is still to come: the clock was set back. Who stopped is forgotten."""
        told = []
        for same, known in list(self._known.items()):
            counted_lately = timedelta(0) <= now - known.since < self._again_after
            if counted_lately and not all_of_them:
                continue
            if known.repeats:
                told.append(_counted(known, now))
                known.since, known.repeats = now, 0
            else:
                del self._known[same]
        return tuple(told)


def _kind_of(record: AuditRecord) -> _Kind:
    detail = _INSTANT.sub("…", record.detail)
    return record.author, record.action, record.subject, record.outcome, detail


def _counted(known: _Known, now: datetime) -> AuditRecord:
    times = "once more" if known.repeats == 1 else f"{known.repeats} times more"
    since = known.since.isoformat()
    return replace(known.last, at=now, detail=f"{known.last.detail} ({times} since {since})")


class RefusalLog:
    """Writes refusals into the audit log from within the event loop; a store that is away costs records,
    which the process's own log tells of, and no call."""

    def __init__(self, audit: AuditLog, threads: StoreThreads, clock: Clock) -> None:
        self._audit = audit
        self._threads = threads
        self._clock = clock
        self._repeats = Repeats()

    async def note(self, *, author: str, action: str, subject: str, detail: str, why: str) -> None:
        """Somebody was refused just now, for the reason of that name."""
        record = AuditRecord(
            at=self._clock.now(),
            author=author,
            action=action,
            subject=subject,
            detail=detail,
            outcome=f"refused: {why}",
        )
        await self._write(self._repeats.heard(record))

    async def tell(self) -> None:
        """Write what was counted for long enough; mostly nothing."""
        await self._write(self._repeats.due(self._clock.now()))

    async def close(self) -> None:
        """Write what was counted so far."""
        await self._write(self._repeats.due(self._clock.now(), all_of_them=True))

    async def _write(self, records: Sequence[AuditRecord]) -> None:
        if not records:
            return

        def note() -> None:
            for record in records:
                self._audit.note(record)

        try:
            await asyncio.shield(self._threads.write(note))
        except Exception as failure:  # noqa: BLE001 - reported; the call itself was answered rightly
            report(_log, "refusal_not_audited", failure, records=len(records))
