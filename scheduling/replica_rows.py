"""Replicas of one model as rows of numbers: which stand, by which law each is judged, what it reported.

Who is booked on them is `workers`' to keep. Seconds are those of the caller's clock. One thread at a time.
"""

from __future__ import annotations

from heliostat.errors import AlreadyExists, InvalidInput, UnknownReplica
from scheduling.laws.law import WorkerLaw
from scheduling.rows import SEAT, WORKER, Records, empty, grown, write_law
from scheduling.seats import NO_LIMIT, renew_slack

_FIRST_ROWS = 16
_FIRST_SEATS = 32


class ReplicaRows:
    """`rows[:used]` (`scheduling.rows.WORKER`) may be read, not written."""

    def __init__(self) -> None:
        self.rows: Records = empty(WORKER, _FIRST_ROWS)
        self.seats: Records = empty(SEAT, _FIRST_ROWS, _FIRST_SEATS)
        """(rows, seats); those of a row's booked requests come first, in no order."""
        self.used = 0
        """Rows beyond were never taken; rows before may be free again (not accepting, nothing booked)."""
        self._names: list[str | None] = []
        self._row_of: dict[str, int] = {}
        self._seated: list[list[str]] = []
        """Requests by row and seat."""

    def appear(self, replica: str, law: WorkerLaw, now: float) -> int:
        """A replica takes requests from now on, nothing booked; returns its row.

        Raises AlreadyExists when it stands there.
        """
        if replica in self._row_of:
            raise AlreadyExists(f"replica {replica} is known", remedy="remove it with vanish first")
        row = self._free_row()
        self.rows[row] = 0
        self._names[row] = replica
        self._row_of[replica] = row
        self.follow(replica, law)
        worker = self.rows[row]
        worker["accepting"] = worker["fresh"] = 1
        worker["seen_at"] = worker["prefill_free_at"] = now
        worker["stall_slack_seconds"] = NO_LIMIT
        return row

    def drain(self, replica: str) -> None:
        """It accepts no more requests and keeps those it has. Raises UnknownReplica."""
        self.rows[self.row_of(replica)]["accepting"] = 0

    def accept(self, replica: str) -> None:
        """It takes requests again. Raises UnknownReplica."""
        self.rows[self.row_of(replica)]["accepting"] = 1

    def follow(self, replica: str, law: WorkerLaw) -> None:
        """From now on it is judged by that law (a refit). Raises UnknownReplica."""
        row = self.row_of(replica)
        write_law(self.rows[row], law)
        renew_slack(self.rows, self.seats, row)

    def report(
        self, replica: str, now: float, *, running: int, waiting: int, kv_tokens: int
    ) -> None:
        """What its engine says, others' work included; it is fresh again. Raises UnknownReplica, and
        InvalidInput for a count below zero."""
        if min(running, waiting, kv_tokens) < 0:
            raise InvalidInput("report", f"{replica}: {running}, {waiting}, {kv_tokens}")
        worker = self.rows[self.row_of(replica)]
        worker["seen_running"], worker["seen_waiting"] = running, waiting
        worker["seen_kv_tokens"] = kv_tokens
        worker["unbooked_sequences"] = max(
            0, running + waiting - int(worker["running"]) - int(worker["waiting"])
        )
        worker["unbooked_kv_tokens"] = max(0, kv_tokens - int(worker["kv_now_tokens"]))
        worker["seen_at"] = now
        worker["fresh"] = 1

    def forget_reports_before(self, instant: float) -> None:
        """Replicas that last reported before that instant are not fresh."""
        rows = self.rows[: self.used]
        rows["fresh"][rows["seen_at"] < instant] = 0

    def row_of(self, replica: str) -> int:
        """Its row. Raises UnknownReplica."""
        row = self._row_of.get(replica)
        if row is None:
            raise UnknownReplica(replica, remedy="it has vanished, or never appeared")
        return row

    def name_of(self, row: int) -> str:
        """Which replica stands in a row. Raises UnknownReplica when none does."""
        name = self._names[row] if 0 <= row < self.used else None
        if name is None:
            raise UnknownReplica(f"row {row}")
        return name

    @property
    def replicas(self) -> tuple[str, ...]:
        """Every replica that is known, by row."""
        return tuple(name for name in self._names if name is not None)

    # --- inside --------------------------------------------------------------------------------

    def _vacate(self, row: int) -> None:
        """Nobody stands in that row any more, and nobody sits there."""
        self._seated[row].clear()
        self._names[row] = None
        self.rows[row] = 0

    def _free_row(self) -> int:
        for row, name in enumerate(self._names):
            if name is None:
                return row
        if self.used == len(self.rows):
            self.rows = grown(self.rows, 2 * self.used)
            self.seats = grown(self.seats, 2 * self.used, self.seats.shape[1])
        self.used += 1
        self._names.append(None)
        self._seated.append([])
        return self.used - 1
