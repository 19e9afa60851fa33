"""Governance: modes, overrides, guardrails, audit records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName


class Mode(StrEnum):
    """What Heliostat does with its decisions, from least to most."""

    PAUSED = "paused"
    """Keeps everything as it is: no new plan takes effect, routing tables stand still."""
    ADVISORY = "advisory"
    """Decides and records, orders nothing; an operator may approve a plan. The default."""
    ACTIVE = "active"
    """Decides and orders."""


_LEAST_FIRST = tuple(Mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSetting:
    """A mode for one region, or for all of them (`region` = EVERYWHERE)."""

    region: RegionName
    mode: Mode
    author: str
    reason: str
    at: datetime
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Modes:
    """All mode settings together; nothing set means advisory."""

    settings: tuple[ModeSetting, ...] = ()

    def of(self, region: RegionName) -> Mode:
        """The region's effective mode: the more cautious of the global and the regional setting,
        the only one where just one was made, advisory where none was."""
        found = {setting.region: setting.mode for setting in self.settings}
        made = [found[name] for name in (EVERYWHERE, region) if name in found]
        return min(made, key=_LEAST_FIRST.index, default=Mode.ADVISORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person's or a tool's target for one pool; a planner constraint until it expires."""

    override_id: str
    pool: PoolKey
    target_replicas: int
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime
    request_id: str = ""

    def __post_init__(self) -> None:
        check_instant("override.created_at", self.created_at)
        check_instant("override.expires_at", self.expires_at)
        if self.target_replicas < 0:
            raise InvalidInput("override.target_replicas", "is negative")
        if self.expires_at <= self.created_at:
            raise InvalidInput("override.expires_at", "is not after its creation")
        if not self.reason or not self.author:
            raise InvalidInput("override", "needs an author and a reason")

    def in_force(self, now: datetime) -> bool:
        """True until it expires; also before its creation, since the clock may have been set back."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """Limits on every plan.

    `largest_step_out` and `largest_step_in` cap the replicas that one plan adds to a pool, or takes
    from it (0 = no cap); `cool_down` is the time after a pool's last change before it may shrink;
    `budget_dollars_per_hour` caps the whole fleet (None = none); `stale_after` is the age at which
    an observation becomes STALE.
    """

    largest_step_out: int = 0
    largest_step_in: int = 0
    cool_down: timedelta = timedelta(minutes=10)
    budget_dollars_per_hour: float | None = None
    stale_after: timedelta = timedelta(minutes=3)

    def __post_init__(self) -> None:
        if min(self.largest_step_out, self.largest_step_in) < 0:
            raise InvalidInput("guardrails.largest_step", "is negative")
        if self.budget_dollars_per_hour is not None and self.budget_dollars_per_hour <= 0:
            raise InvalidInput("guardrails.budget_dollars_per_hour", "must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One act that changed something, or was refused: who, what, on what, when, with which outcome.

    `action` is the call's name in words ("scale-pool", "set-mode"), done or refused; "plan" for the
    schedule's own.
    """

    at: datetime
    author: str
    action: str
    subject: str
    detail: str = ""
    outcome: str = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A record as the log keeps it; `number` is given by the log and grows."""

    number: int
    record: AuditRecord

    @property
    def place(self) -> AuditPlace:
        """Where it stands in the log."""
        return (self.record.at, self.number)


AuditPlace = tuple[datetime, int]
"""Instant and number: the order of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records to look at; an empty filter matches everything."""

    span: Span
    authors: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()

    def matches(self, record: AuditRecord) -> bool:
        """True when nothing excludes the record."""
        return (
            record.at in self.span
            and (not self.authors or record.author in self.authors)
            and (not self.actions or record.action in self.actions)
        )
