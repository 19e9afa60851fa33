"""One batch request as the journal keeps it: its state, its columns, and how a row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from heliostat.model.dispatch import DispatchAsk, Placed
from heliostat.model.instants import from_epoch
from heliostat.v1 import dispatch_pb2
from services.translation.dispatch import ask_of_journal, placed_from_wire

COLUMNS = "request_id, gateway_id, state, attempt, queued_at, due, changed_at, ask, place"
"""What `entry_of` reads, in its order."""


class BatchState(IntEnum):
    """Where a batch request stands."""

    WAITING = 0
    PLACED = 1
    FINISHED = 2
    GIVEN_UP = 3

    @property
    def ended(self) -> bool:
        """True when nothing more will happen to it."""
        return self in (BatchState.FINISHED, BatchState.GIVEN_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEntry:
    """One batch request; `changed_at` is when it entered its state, in seconds since 1970.

    `place` is where it was placed, also while it waits again after that; None = it never was.
    """

    ask: DispatchAsk
    gateway_id: str
    state: BatchState
    attempt: int
    queued_at: datetime
    due: datetime
    changed_at: float
    place: Placed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTotals:
    """One model's requests in the box that have not ended."""

    waiting: int = 0
    placed: int = 0
    promoted: int = 0
    oldest_queued_at: datetime | None = None
    first_due: datetime | None = None


def ask_of(body: bytes) -> DispatchAsk:
    """The ask in a row."""
    return ask_of_journal("journal.batch_requests.ask", dispatch_pb2.DispatchAsk.FromString(body))


def place_of(body: bytes) -> Placed:
    """The place in a row."""
    return placed_from_wire(
        "journal.batch_requests.place", dispatch_pb2.PlacedDecision.FromString(body)
    )


def entry_of(row: Sequence[Any]) -> BatchEntry:
    """The request in a row of `COLUMNS`."""
    _, gateway_id, state, attempt, queued_at, due, changed_at, ask, place = row
    return BatchEntry(
        ask=ask_of(ask),
        gateway_id=gateway_id,
        state=BatchState(state),
        attempt=attempt,
        queued_at=from_epoch(queued_at),
        due=from_epoch(due),
        changed_at=changed_at,
        place=None if place is None else place_of(place),
    )
