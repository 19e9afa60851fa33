"""The booking of a request on a replica: whole numbers, so that releasing it is exact."""

from __future__ import annotations

from dataclasses import dataclass

from scheduling.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Among whom a booked request runs: sequences that decode beside it, itself included, their tokens of
    context in all, and for how many seconds prefills booked after it have stalled it."""

    sequences: float
    context_tokens: float
    stalled_seconds: float


@dataclass(slots=True, kw_only=True)
class Booking:
    """One request on one replica; `Workers` alone changes it."""

    request: Request
    replica: str
    row: int
    seat: int
    at: float
    """When it was booked, in seconds of the caller's clock."""
    begun_at: float | None = None
    """When its first token came; None = not yet."""
    output_tokens: int
    """Predicted output that the counters hold: as first predicted, or as re-estimated since."""
    prefill_seconds: float = 0.0
    prefill_tokens: int = 0
    kv_now_tokens: int = 0
