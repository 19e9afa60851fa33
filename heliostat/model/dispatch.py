"""Single requests inside a region: what gateways ask of the dispatcher, what it decides, how requests end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.errors import HeliostatError, InvalidInput, RequestIdReused
from heliostat.model.instants import check_instant
from heliostat.model.names import ModelName, PoolKey, RegionName, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchAsk:
    """One request that needs a place; the same `request_id` and `attempt` is the same ask.

    `predicted_output_tokens` None = no prediction. `forwarded` = it came from another region and may
    not be sent on. `complete_by` is for batch requests; None = the tier's deadline from the ask on.
    """

    request_id: str
    model: ModelName
    tier: Tier
    input_tokens: int
    attempt: int = 1
    predicted_output_tokens: float | None = None
    session: str = ""
    forwarded: bool = False
    complete_by: datetime | None = None

    def __post_init__(self) -> None:
        if self.input_tokens < 1:
            raise InvalidInput("input_tokens", f"{self.input_tokens} is less than 1")
        predicted = self.predicted_output_tokens
        if predicted is not None and not (math.isfinite(predicted) and predicted >= 1):
            raise InvalidInput("predicted_output_tokens", f"{predicted} must be a number ≥ 1")
        if self.attempt < 1:
            raise InvalidInput("attempt", f"{self.attempt} is less than 1")
        if self.complete_by is not None:
            if self.tier is not Tier.BATCH:
                raise InvalidInput("complete_by", f"{self.tier} requests have none")
            check_instant("complete_by", self.complete_by)

    def check_repeats(self, before: DispatchAsk) -> None:
        """Raises RequestIdReused when an ask of the same name was for another request."""
        mine, theirs = (
            (one.model, one.tier, one.input_tokens, one.session) for one in (self, before)
        )
        if mine != theirs:
            raise RequestIdReused(
                f"request {self.request_id} was asked for as {before.model}/{before.tier} with "
                f"{before.input_tokens} tokens",
                remedy="use a unique id for every request",
            )


class PlacementBasis(StrEnum):
    """By what a replica was chosen."""

    SIGNALS = "signals"
    ROUND_ROBIN = "round-robin"
    """In turn, since too few replicas have fresh signals."""


class ShedReason(StrEnum):
    """Why a request is turned away."""

    ROUTED = "routed"
    """The routing table sheds this share."""
    NO_CAPACITY = "no-capacity"
    NO_REPLICA = "no-replica"
    TOO_LARGE = "too-large"
    QUEUE_FULL = "queue-full"
    DEADLINE = "deadline"


class WithdrawalReason(StrEnum):
    """Why a place was taken back."""

    REPLICA_GONE = "replica-gone"
    LEASE_EXPIRED = "lease-expired"


class CompletionOutcome(StrEnum):
    """How a request ended."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """It goes to this replica now; `priority` 0 goes first; the place is kept for `lease`.

    `expected_ttft_seconds` counts from the decision; None = cannot be told.
    """

    replica_id: str
    pool: PoolKey
    address: str
    basis: PlacementBasis
    lease: timedelta
    priority: int = 0
    expected_ttft_seconds: float | None = None
    session_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """It waits, on disk (`durable`) or in memory; `ahead` requests of its model waited there before."""

    durable: bool
    due: datetime
    ahead: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRegion:
    """It goes to another region's gateways, marked with the hop header."""

    region: RegionName
    ingress_endpoint: str
    hop_header: str
    table_version: str
    table_stale: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed:
    """It is turned away; `retry_after` None = asking again never helps."""

    reason: ShedReason
    detail: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Its place was taken back; `queued_again` = it waits in the durable queue once more."""

    reason: WithdrawalReason
    replica_id: str
    queued_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """It had ended before it was asked for again."""

    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The ask is wrong; nothing was taken in."""

    error: HeliostatError


Outcome = Placed | Queued | OtherRegion | Shed | Withdrawn | Ended | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchDecision:
    """What becomes of one ask; `replayed` = it came before, and this is the answer that it had."""

    request_id: str
    outcome: Outcome
    attempt: int = 1
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How one request ended, and what its gateway measured; None = not measured."""

    request_id: str
    outcome: CompletionOutcome
    output_tokens: int | None = None
    ttft_seconds: float | None = None
    e2e_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.output_tokens is not None and self.output_tokens < 0:
            raise InvalidInput("output_tokens", f"{self.output_tokens} is negative")
        for name in ("ttft_seconds", "e2e_seconds"):
            seconds: float | None = getattr(self, name)
            if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
                raise InvalidInput(name, f"{seconds} is not a valid length of time")
