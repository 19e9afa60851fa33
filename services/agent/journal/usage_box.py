"""Usage on its way up: our own windows and those of local gateways, kept until the control plane has them.

Every source's batches leave under our own numbering (this life's incarnation): a gateway that was
answered needs to know nothing of what happened to its batch here, and a life that lost numbers to a power
cut, or a fresh journal, begins anew without leaving a gap. The window's key and revision keep a repeated
window from counting twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from sqlite3 import Connection

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import SequenceGap
from heliostat.model.instants import to_epoch
from heliostat.model.usage import UsageBatch, UsageReceipt, UsageWindow, batch_of
from heliostat.v1 import usage_pb2
from services.agent.journal.file import JournalFile
from services.agent.journal.parting import by_model
from services.agent.journal.trying_again import WAITING, Again, Problem
from services.translation.usage import batch_from_wire, batch_to_wire

_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLimits:
    """How many refused batches are kept."""

    over: int = 10_000
    """Those that will not go again, among so many of the latest batches: for an operator to look at."""
    waiting: int = 110_000
    """Those that wait to go again: twenty a minute until the last try, and some."""


REFUSED_LIMITS = RefusedLimits()


_UPSERT = (
    "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence"
)


class UsageBox:
    """Batches in the order in which they came."""

    def __init__(
        self,
        file: JournalFile,
        catalogue: FleetCatalogue,
        source_id: str,
        limits: RefusedLimits = REFUSED_LIMITS,
    ) -> None:
        self._file = file
        self._limits = limits
        self._catalogue = catalogue
        self.source_id = source_id
        """Under which name our own windows go."""
        self._looked_at = 0
        """The last refused batch that `send_again` looked at; 0 = it begins with the first."""
        self._seen_waiting = 0
        """How many it left waiting since it began with the first."""

    @property
    def incarnation(self) -> int:
        """Under which incarnation everything leaves."""
        return self._file.incarnation

    def append(self, windows: Sequence[UsageWindow]) -> UsageBatch | None:
        """Number and keep our own windows; None when there are none.

        Durable: a number that a power cut took back would be given to other windows, and those be taken
        for a replay.
        """
        if not windows:
            return None
        draft = batch_of(windows, source_id=self.source_id, incarnation=1, sequence=1)
        return self._store(draft, durable=True)

    def take(self, batch: UsageBatch) -> UsageReceipt:
        """A gateway's batch, durable before this returns. Raises SequenceGap, StorageUnavailable."""
        held = self.durable(batch.source_id, batch.incarnation)
        if batch.sequence <= held:
            return _receipt(batch, held, replayed=True)
        if held and batch.sequence > held + 1:
            raise SequenceGap(
                f"{batch.source_id}: sequence {batch.sequence} follows {held}", expected=held + 1
            )
        self._store(batch, durable=True)
        return _receipt(batch, batch.sequence, replayed=False)

    def own(self, limit: int) -> tuple[UsageBatch, ...]:
        """Our own unsent batches, oldest first."""
        rows = self._file.read(
            "SELECT body FROM usage WHERE source_id = ? ORDER BY number LIMIT ?",
            (self.source_id, limit),
        )
        return tuple(
            batch_from_wire("journal.usage", self._unsent(body), self._catalogue)
            for (body,) in rows
        )

    def outgoing(self, limit: int) -> list[usage_pb2.UsageBatch]:
        """The oldest unsent batches of all sources, as they go over the wire."""
        rows = self._file.read("SELECT body FROM usage ORDER BY number LIMIT ?", (limit,))
        return [self._unsent(body) for (body,) in rows]

    def _unsent(self, body: bytes) -> usage_pb2.UsageBatch:
        """As it leaves in this life, whichever life kept it: numbers go on, the incarnation is ours."""
        batch = self._file.decoded(usage_pb2.UsageBatch.FromString, body)
        batch.incarnation = self._file.incarnation
        return batch

    def waiting(self) -> int:
        """How many batches have not been confirmed."""
        ((count,),) = self._file.read("SELECT count(*) FROM usage")
        return int(count)

    def sent(self, source_id: str, incarnation: int, durable_sequence: int) -> None:
        """Everything of that source up to this sequence is at the control plane."""
        if incarnation != self._file.incarnation:
            return
        with self._file.transaction(durable=False) as write:
            write.execute(
                "DELETE FROM usage WHERE source_id = ? AND sequence <= ?",
                (source_id, durable_sequence),
            )

    def own_sent(self, incarnation: int, durable_sequence: int) -> None:
        """The same for our own windows."""
        self.sent(self.source_id, incarnation, durable_sequence)

    def set_aside(
        self, source_id: str, sequence: int, problem: str, again: Again = Again.NEVER
    ) -> None:
        """The control plane refuses the batch: keep it apart, and send nothing in its place.

        `again` says why it may be taken later: then `send_again` tries it.
        """
        with self._file.transaction(durable=True) as write:
            row = _row_of(write, source_id, sequence)
            if row is None:
                return
            number, body = row
            before = write.execute(
                "SELECT problem FROM refused_usage WHERE number = ? AND problem LIKE 'sent again as %'",
                (number,),
            ).fetchone()
            earlier = None if before is None else Problem.parse(before[0])
            refused = Problem(words=problem, again=again).after(earlier)
            write.execute(
                "INSERT OR REPLACE INTO refused_usage VALUES (?, ?, ?)",
                (number, str(refused), body),
            )
            self._empty(write, number, source_id, sequence)

    def part(self, source_id: str, sequence: int) -> int:
        """Let each model's windows go as a batch of their own, and an empty one under this number.

        How many batches it makes; 0 when the batch holds one model, and stays as it is.
        """
        with self._file.transaction(durable=True) as write:
            row = _row_of(write, source_id, sequence)
            if row is None:
                return 0
            number, body = row
            parts = by_model(self._file.decoded(usage_pb2.UsageBatch.FromString, body))
            if len(parts) < 2:
                return 0
            self._file.begin_life(write)
            for one in parts:
                one.sequence = self._next_sequence(write, source_id)
                self._put(write, one)
            self._empty(write, number, source_id, sequence)
        return len(parts)

    def kept_apart(self) -> int:
        """How many refused batches did not go again, or not yet."""
        ((count,),) = self._file.read(
            "SELECT count(*) FROM refused_usage WHERE problem NOT LIKE 'sent again as %'"
        )
        return int(count)

    def send_again(self, now: datetime) -> int:
        """Send refused batches once more that are due by now (see `trying_again`).

        How many went, of the next few that it looks at: those whose hour is far off hold up no others. What
        went is kept apart under its new number: there its next refusal finds it.
        Windows that the control plane has by now are known by their keys.
        """
        rows = self._file.read(
            f"SELECT number, problem, body FROM refused_usage WHERE ({WAITING}) AND number > ? "  # noqa: S608 - ours
            "ORDER BY number LIMIT ?",
            (self._looked_at, _AT_ONCE),
        )
        self._looked_at = rows[-1][0] if len(rows) == _AT_ONCE else 0
        sent = 0
        for number, text, body in rows:
            problem = Problem.parse(text)
            batch = self._file.decoded(usage_pb2.UsageBatch.FromString, body)
            newest = max(batch.window_start_seconds, default=0)
            if newest > to_epoch(now - problem.ripe_at):
                continue
            with self._file.transaction(durable=True) as write:
                self._file.begin_life(write)
                batch.sequence = self._next_sequence(write, batch.source_id)
                gone = replace(problem, row=self._put(write, batch))
                write.execute(
                    "UPDATE refused_usage SET number = ?, problem = ? WHERE number = ?",
                    (gone.row, str(gone), number),
                )
            sent += 1
        self._seen_waiting += len(rows) - sent
        if not self._looked_at:
            self._drop_old()
        return sent

    def _drop_old(self) -> None:
        """Once all that wait were looked at: the oldest of those that are over, and of those beyond the most
        that may wait."""
        too_many, self._seen_waiting = self._seen_waiting - self._limits.waiting, 0
        ((oldest, newest),) = self._file.read(
            "SELECT ifnull(min(number), 0), ifnull(max(number), 0) FROM refused_usage"
        )
        if newest - oldest < self._limits.over and too_many <= 0:
            return
        with self._file.transaction(durable=False) as write:
            write.execute(
                f"DELETE FROM refused_usage WHERE number <= ? AND NOT ({WAITING})",  # noqa: S608 - ours
                (newest - self._limits.over,),
            )
            write.execute(
                "DELETE FROM refused_usage WHERE number IN (SELECT number FROM refused_usage "  # noqa: S608 - ours
                f"WHERE {WAITING} ORDER BY number LIMIT ?)",
                (max(0, too_many),),
            )

    def durable(self, source_id: str, incarnation: int) -> int:
        """The highest sequence of a gateway that is journalled; 0 for one never heard of."""
        rows = self._file.read(
            "SELECT sequence FROM sources WHERE source_id = ? AND incarnation = ?",
            (source_id, incarnation),
        )
        return int(rows[0][0]) if rows else 0

    def _store(self, batch: UsageBatch, *, durable: bool) -> UsageBatch:
        """Renumber and keep; our own numbering of a source is its row with incarnation 0."""
        with self._file.transaction(durable=durable) as write:
            self._file.begin_life(write)
            sequence = self._next_sequence(write, batch.source_id)
            if batch.source_id != self.source_id:
                write.execute(_UPSERT, (batch.source_id, batch.incarnation, batch.sequence))
            kept = replace(batch, incarnation=self._file.incarnation, sequence=sequence)
            self._put(write, batch_to_wire(kept))
        return kept

    def _next_sequence(self, write: Connection, source_id: str) -> int:
        """Count the source's next batch."""
        row = write.execute(
            "SELECT sequence FROM sources WHERE source_id = ? AND incarnation = 0", (source_id,)
        ).fetchone()
        sequence = 1 + int(row[0] if row else 0)
        write.execute(_UPSERT, (source_id, 0, sequence))
        return sequence

    def _empty(self, write: Connection, number: int, source_id: str, sequence: int) -> None:
        """An empty batch in that row, so that the numbers have no gap."""
        empty = usage_pb2.UsageBatch(
            source_id=source_id, incarnation=self._file.incarnation, sequence=sequence
        )
        write.execute(
            "UPDATE usage SET body = ? WHERE number = ?", (empty.SerializeToString(), number)
        )

    def _put(self, write: Connection, batch: usage_pb2.UsageBatch) -> int:
        """Let it wait to be sent; returns its row's number."""
        row = write.execute(
            "INSERT INTO usage (source_id, sequence, body) VALUES (?, ?, ?) RETURNING number",
            (batch.source_id, batch.sequence, batch.SerializeToString()),
        ).fetchone()
        return int(row[0])


def _row_of(write: Connection, source_id: str, sequence: int) -> tuple[int, bytes] | None:
    """Number and body of an unsent batch; None when it was confirmed meanwhile."""
    row = write.execute(
        "SELECT number, body FROM usage WHERE source_id = ? AND sequence = ?", (source_id, sequence)
    ).fetchone()
    return None if row is None else (int(row[0]), row[1])


def _receipt(batch: UsageBatch, durable_sequence: int, *, replayed: bool) -> UsageReceipt:
    return UsageReceipt(
        source_id=batch.source_id,
        incarnation=batch.incarnation,
        durable_sequence=durable_sequence,
        replayed=replayed,
    )
