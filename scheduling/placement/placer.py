"""The port of placers, which choose a replica for a request, and their result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from scheduling.request import Request
from scheduling.workers import Workers


class Reason(StrEnum):
    """Why a request got the replica it got, or none: the row of the problem that most replicas broke."""

    PLACED = "placed"
    NO_REPLICA = "no-replica"
    """None accepts requests."""
    STALE = "stale"
    """Some accept, and of none do we know how it stands."""
    TOO_LONG = "too-long"
    """No replica, however idle, could hold it: waiting will not help."""
    TTFT = "ttft"
    ITL = "itl"
    STALL = "stall"
    """Its prefill would stall requests running there for too long."""
    MEMORY = "memory"
    BATCH = "batch"
    """As many sequences run as the law's largest batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A row of `Workers`, or None: queue the request, serve it elsewhere, or shed it, by the reason."""

    row: int | None
    expected_ttft_seconds: float | None
    """From the request's arrival to its first token, as the law says; None without a row."""
    reason: Reason
    prefill_row: int | None = None
    """Where its prompt is prefilled, when prefill and decode stand apart (`placement.split`)."""
    instead_of: int | None = None
    """The row that was chosen first, and has more to do than was predicted (`placement.rebalanced`)."""


class Placer(Protocol):
    """Chooses a replica. Pure but for chance: what it is given stays as it is, the caller books."""

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        """The replica that gets the request, among those of `workers` that accept.

        No row is an outcome with its reason, not an error. `now` in seconds of the clock that
        `request.arrival` and the bookings use. Raises UnknownModel when the request is for another
        model than the workers serve, InvalidInput when the rule needs a prediction and there is none.
        """
        ...
