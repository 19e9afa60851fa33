"""Batch requests of this region's gateways, on disk from the answer `queued` until a day after their end.

Each is waiting, placed, or ended. A step is written before anybody hears of it, so a killed agent finds
every request in exactly one state: it is never lost, and never placed while it is placed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Any

from heliostat.model.dispatch import DispatchAsk, Placed
from heliostat.model.instants import from_epoch, to_epoch
from heliostat.model.names import ModelName
from services.agent.journal.batch_entry import (
    COLUMNS,
    BatchEntry,
    BatchState,
    BatchTotals,
    entry_of,
)
from services.agent.journal.file import JournalFile
from services.agent.journal.waiting_count import (
    MINUTE_SECONDS,
    WaitingCount,
    WaitingPlace,
    waiting_place,
)
from services.translation.dispatch import ask_to_wire, placed_to_wire

KEEP_ENDED = timedelta(days=1)
"""Ended requests are remembered for so long, lest a late repetition revive one."""
# Queries spell states as numbers: SQLite finds the partial indexes of `making` by literals alone.
_OPEN = (BatchState.WAITING, BatchState.PLACED)
_MARKS_A_QUERY = 500
_MOST_ATTEMPTS = 2**32 - 1
"""The wire carries no more."""
_FOREVER = 2**62
_NOT_ASKED: Mapping[str, int] = {}
_ANY = "SELECT 1 FROM batch_requests LIMIT 1"


class BatchBox:
    """Every method is one transaction and blocks for it; one caller at a time, beside those that nobody waits
    for any more."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        rows = file.read(
            "SELECT model, gateway_id, due / ?, count(*) FROM batch_requests WHERE state = 0 "
            "GROUP BY 1, 2, 3",
            (MINUTE_SECONDS,),
        )
        # A call that nobody waits for any more may still be counting.
        self._waiting = WaitingCount((WaitingPlace(*place), requests) for *place, requests in rows)
        self._used = bool(file.read(_ANY))

    def waiting(self, model: ModelName | None = None) -> int:
        """How many wait, of one model or of all."""
        return self._waiting.total() if model is None else self._waiting.of(model)

    def waiting_by_minute(
        self, model: ModelName, gateways: Collection[str] | None = None
    ) -> Mapping[int, int]:
        """How many of that model and these gateways (None = all) wait and are due in each minute since 1970,
        where any is. Reads no disk."""
        return self._waiting.by_minute(model, gateways)

    def used(self) -> bool:
        """True when a request of any state is here, ended ones until they are forgotten: gateways hand
        their batch work over. Reads no disk."""
        return self._used

    def put(
        self, asks: Sequence[tuple[DispatchAsk, datetime]], *, gateway_id: str, at: float
    ) -> None:
        """Keep asks with the instants at which they are due; those that are here already stay as they are.

        Durable. Raises StorageUnavailable.
        """
        added: Counter[WaitingPlace] = Counter()
        with self._file.transaction(durable=True) as write:
            for ask, due in asks:
                changed = write.execute(
                    "INSERT OR IGNORE INTO batch_requests (request_id, gateway_id, model, state, "
                    "attempt, queued_at, due, changed_at, ask) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
                    (
                        ask.request_id,
                        gateway_id,
                        ask.model,
                        ask.attempt,
                        int(at),
                        to_epoch(due),
                        at,
                        ask_to_wire(ask).SerializeToString(),
                    ),
                ).rowcount
                added[waiting_place(ask.model, gateway_id, to_epoch(due))] += changed
        self._waiting.change(came=added)
        self._used = self._used or bool(asks)

    def find(self, request_ids: Collection[str]) -> Mapping[str, BatchEntry]:
        """Those of them that are here, whatever their state."""
        found: dict[str, BatchEntry] = {}
        wanted = list(request_ids)
        for first in range(0, len(wanted), _MARKS_A_QUERY):
            some = wanted[first : first + _MARKS_A_QUERY]
            marks = ", ".join("?" * len(some))
            query = f"SELECT {COLUMNS} FROM batch_requests WHERE request_id IN ({marks})"  # noqa: S608 - marks only
            found.update((row[0], self._entry(row)) for row in self._file.read(query, some))
        return found

    def first_due(
        self, model: ModelName, gateways: Collection[str], limit: int
    ) -> tuple[BatchEntry, ...]:
        """Of those that wait for one of these gateways the first ones due; ties as they came."""
        return self._waiting_for(model, gateways, "due", _FOREVER, limit)

    def longest_waiting(
        self, model: ModelName, gateways: Collection[str], *, since: datetime, limit: int
    ) -> tuple[BatchEntry, ...]:
        """Of those that wait for one of these gateways since that instant or before, the oldest."""
        return self._waiting_for(model, gateways, "queued_at", to_epoch(since), limit)

    def _entry(self, row: Sequence[Any]) -> BatchEntry:
        """Raises CorruptJournal when the row is damaged."""
        return self._file.decoded(entry_of, row)

    def _waiting_for(
        self, model: ModelName, gateways: Collection[str], column: str, most: int, limit: int
    ) -> tuple[BatchEntry, ...]:
        """One look per gateway, along its index: those that wait for an absent one cost nothing."""
        found = [
            row
            for gateway in gateways
            for row in self._file.read(
                f"SELECT {COLUMNS}, {column}, number FROM batch_requests WHERE state = 0 "  # noqa: S608 - our own columns
                f"AND model = ? AND gateway_id = ? AND {column} <= ? "
                f"ORDER BY {column}, number LIMIT ?",
                (model, gateway, most, limit),
            )
        ]
        found.sort(key=lambda row: row[-2:])
        return tuple(self._entry(row[:-2]) for row in found[:limit])

    def hand_over(self, request_ids: Collection[str], gateway_id: str) -> None:
        """These are that gateway's from now on. Durable."""
        came: Counter[WaitingPlace] = Counter()
        left: Counter[WaitingPlace] = Counter()
        with self._file.transaction(durable=True) as write:
            for request_id in request_ids:
                row = write.execute(
                    "SELECT state, model, gateway_id, due FROM batch_requests WHERE request_id = ?",
                    (request_id,),
                ).fetchone()
                if row is not None and row[0] == BatchState.WAITING:
                    _, model, before, due = row
                    left[waiting_place(model, before, due)] += 1
                    came[waiting_place(model, gateway_id, due)] += 1
                write.execute(
                    "UPDATE batch_requests SET gateway_id = ? WHERE request_id = ?",
                    (gateway_id, request_id),
                )
        self._waiting.change(came=came, left=left)

    def place(self, places: Mapping[str, Placed], at: float) -> None:
        """These are placed from now on; those that do not wait (any more) stay as they are. Durable."""
        taken: Counter[WaitingPlace] = Counter()
        with self._file.transaction(durable=True) as write:
            for request_id, place in places.items():
                body = placed_to_wire(place).SerializeToString()
                taken += _move(
                    write, request_id, (BatchState.WAITING,), BatchState.PLACED, at, place=body
                )
        self._waiting.change(left=taken)

    def follow(self, attempts: Mapping[str, int]) -> None:
        """Those of them that wait do so under that attempt from now on, unless theirs is later. Durable."""
        with self._file.transaction(durable=True) as write:
            write.executemany(
                "UPDATE batch_requests SET attempt = max(attempt, ?) "
                "WHERE request_id = ? AND state = 0",
                [(attempt, request_id) for request_id, attempt in attempts.items()],
            )

    def put_back(
        self,
        request_ids: Collection[str],
        at: float,
        *,
        attempts: Mapping[str, int] = _NOT_ASKED,
        revive: bool = False,
    ) -> None:
        """These lost their places: they wait again, under the next attempt, or the later one of `attempts`
        that was asked; with `revive` also those that were given up. Durable."""
        lost = (BatchState.PLACED,)
        sources = (*lost, BatchState.GIVEN_UP) if revive else lost
        back: Counter[WaitingPlace] = Counter()
        with self._file.transaction(durable=True) as write:
            for request_id in request_ids:
                moved = _move(write, request_id, sources, BatchState.WAITING, at)
                if moved:
                    write.execute(
                        "UPDATE batch_requests SET attempt = min(max(attempt + 1, ?), ?) "
                        "WHERE request_id = ?",
                        (attempts.get(request_id, 0), _MOST_ATTEMPTS, request_id),
                    )
                back += moved
        self._waiting.change(came=back)

    def end(self, ends: Mapping[str, bool], at: float) -> Mapping[str, BatchState]:
        """These ended, True = finished; gives the state of each before, None of those not here.

        An ended one never changes. Durable.
        """
        if not self.find(ends):
            return {}
        before: dict[str, BatchState] = {}
        taken: Counter[WaitingPlace] = Counter()
        with self._file.transaction(durable=True) as write:
            for request_id, finished in ends.items():
                row = write.execute(
                    "SELECT state, model, gateway_id, due FROM batch_requests WHERE request_id = ?",
                    (request_id,),
                ).fetchone()
                if row is None:
                    continue
                state, *place = row
                before[request_id] = BatchState(state)
                taken[waiting_place(*place)] += state == BatchState.WAITING
                to = BatchState.FINISHED if finished else BatchState.GIVEN_UP
                _move(write, request_id, _OPEN, to, at)
        self._waiting.change(left=taken)
        return before

    def placed(self) -> tuple[BatchEntry, ...]:
        """All that are placed: what a restarted agent has booked."""
        rows = self._file.read(
            f"SELECT {COLUMNS} FROM batch_requests WHERE state = 1 ORDER BY number"  # noqa: S608 - no value in it
        )
        return tuple(map(self._entry, rows))

    def totals(self, *, aged_since: datetime, due_by: datetime) -> Mapping[ModelName, BatchTotals]:
        """Per model that has any; promoted are those that wait since `aged_since` or are due by `due_by`."""
        rows = self._file.read(
            "SELECT model, sum(state = 0), sum(state = 1), "
            "sum(state = 0 AND (queued_at <= ? OR due <= ?)), "
            "min(CASE state WHEN 0 THEN queued_at END), min(CASE state WHEN 0 THEN due END) "
            "FROM batch_requests WHERE state < 2 GROUP BY model ORDER BY model",
            (to_epoch(aged_since), to_epoch(due_by)),
        )
        return {
            ModelName(model): BatchTotals(
                waiting=waiting,
                placed=placed,
                promoted=promoted,
                oldest_queued_at=None if oldest is None else from_epoch(oldest),
                first_due=None if due is None else from_epoch(due),
            )
            for model, waiting, placed, promoted, oldest, due in rows
        }

    def forget_ended(self, at: float) -> None:
        """Let go of what ended `KEEP_ENDED` ago."""
        before = at - KEEP_ENDED.total_seconds()
        with self._file.transaction(durable=False) as write:
            write.execute(
                "DELETE FROM batch_requests WHERE state > 1 AND changed_at < ?", (before,)
            )
            self._used = write.execute(_ANY).fetchone() is not None


def _move(
    write: Connection,
    request_id: str,
    sources: tuple[BatchState, ...],
    to: BatchState,
    at: float,
    *,
    place: bytes | None = None,
) -> Counter[WaitingPlace]:
    """Where it is counted, once, when it went from one of `sources` to `to`; nothing when it stands
    elsewhere."""
    allowed = ", ".join(str(int(state)) for state in sources)
    row = write.execute(
        "UPDATE batch_requests SET state = ?, changed_at = ?, place = coalesce(?, place) "  # noqa: S608 - our own numbers
        f"WHERE request_id = ? AND state IN ({allowed}) RETURNING model, gateway_id, due",
        (int(to), at, place, request_id),
    ).fetchone()
    return Counter() if row is None else Counter({waiting_place(*row): 1})
