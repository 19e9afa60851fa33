"""Commands: absolute targets for pools, their progress and outcome.

States: pending → leased → applied | refused | expired | cancelled. Ended commands never change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from heliostat.errors import (
    CapacityUnavailable,
    HeliostatError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
)
from heliostat.model.instants import check_instant
from heliostat.model.names import PoolKey, RegionName
from heliostat.model.wording import sayable


class CommandState(StrEnum):
    """Where a command stands; the last four are final."""

    PENDING = "pending"
    LEASED = "leased"
    APPLIED = "applied"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True when the state can no longer change."""
        return self not in OPEN_STATES


OPEN_STATES = (CommandState.PENDING, CommandState.LEASED)
"""The states that can still change."""
ENDED_STATES = tuple(state for state in CommandState if state.ended)
"""The states that can no longer change."""


class RefusalKind(StrEnum):
    """Why a command was refused, typed so that the next plan can react."""

    NO_CAPACITY = "no-capacity"
    QUOTA = "quota"
    THROTTLED = "throttled"
    UNKNOWN_POOL = "unknown-pool"
    AGENT_PAUSED = "agent-paused"
    DRIVER_ERROR = "driver-error"
    """The cloud will not sell such VMs to us, for another reason than the first two."""

    @classmethod
    def of(cls, error: HeliostatError) -> RefusalKind:
        """The kind behind an error of a cloud driver."""
        match error:
            case CapacityUnavailable():
                return cls.NO_CAPACITY
            case QuotaExceeded():
                return cls.QUOTA
            case NotFound():
                return cls.UNKNOWN_POOL
            case _:
                return cls.DRIVER_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOrder:
    """Bring one pool to exactly this many replicas (release = drain first)."""

    pool: PoolKey
    target_replicas: int

    def __post_init__(self) -> None:
        if self.target_replicas < 0:
            raise InvalidInput("target_replicas", f"{self.target_replicas} is negative")

    def __str__(self) -> str:
        return f"{self.pool} → {self.target_replicas}"

    @property
    def targets(self) -> tuple[tuple[PoolKey, int], ...]:
        """Each pool that the order is about, and how many replicas it shall have."""
        return ((self.pool, self.target_replicas),)

    @property
    def pools(self) -> tuple[PoolKey, ...]:
        """The pools that the order is about."""
        return (self.pool,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeployOrder:
    """Bring two pools to these counts by changing the model on VMs that stand already."""

    source: PoolKey
    source_target: int
    destination: PoolKey
    destination_target: int

    def __post_init__(self) -> None:
        if min(self.source_target, self.destination_target) < 0:
            raise InvalidInput("redeploy", "targets may not be negative")
        if (self.source.region, self.source.vm_type) != (
            self.destination.region,
            self.destination.vm_type,
        ) or self.source == self.destination:
            raise InvalidInput("redeploy", "needs two models on one VM type in one region")

    def __str__(self) -> str:
        return (
            f"{self.source} → {self.source_target}, {self.destination} → {self.destination_target}"
        )

    @property
    def targets(self) -> tuple[tuple[PoolKey, int], ...]:
        """Each pool that the order is about, and how many replicas it shall have."""
        return ((self.source, self.source_target), (self.destination, self.destination_target))

    @property
    def pools(self) -> tuple[PoolKey, ...]:
        """The pools that the order is about, the one that gets replicas last."""
        return (self.source, self.destination)


Order = ScaleOrder | RedeployOrder


STAGES = ("ordered", "provisioning", "loading", "ready", "draining", "released", "failed")
"""The stages that `CommandProgress` counts replicas in, in the order in which they are gone through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandProgress:
    """Replicas of this order in each of STAGES, as the driver last saw them."""

    ordered: int = 0
    provisioning: int = 0
    loading: int = 0
    ready: int = 0
    draining: int = 0
    released: int = 0
    failed: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One order to one region's agent, with its reason, its author and its life so far.

    `command_id` is given by the store (zero-padded, so that ids sort by creation; "" before) and
    stable across retries and restarts. `request_id` is set when a caller of the API asked for it.
    `plan_version` is 0 for manual commands, and before the plan it belongs to is stored.
    `not_after` is the deadline: an agent that has not ended the command by then ends it as expired.
    """

    command_id: str = ""
    region: RegionName
    order: Order
    reason: str
    author: str
    created_at: datetime
    not_after: datetime
    plan_version: int = 0
    request_id: str = ""
    state: CommandState = CommandState.PENDING
    progress: CommandProgress = CommandProgress()
    refusal: RefusalKind | None = None
    outcome: str = ""
    """One sentence on how it ended."""
    ended_at: datetime | None = None
    revision: int = 1
    """Grows with every change; the etag."""

    def __post_init__(self) -> None:
        check_instant("command.created_at", self.created_at)
        check_instant("command.not_after", self.not_after)
        if any(pool.region != self.region for pool in self.order.pools):
            raise InvalidInput("command.order", f"names pools outside {self.region}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What an agent says of a command: progress (LEASED) or how it ended. Safe to repeat.

    `command_created_at` tells the command from another of the same id, which a database restored from a
    backup may give again; None = the agent is of an older release.
    """

    command_id: str
    region: RegionName
    state: CommandState
    at: datetime
    progress: CommandProgress = CommandProgress()
    refusal: RefusalKind | None = None
    detail: str = ""
    command_created_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.state is CommandState.PENDING:
            raise InvalidInput("acknowledgement.state", "an agent cannot put a command back")
        if (self.refusal is not None) != (self.state is CommandState.REFUSED):
            raise InvalidInput("acknowledgement.refusal", "is only valid with the state 'refused'")

    def is_on(self, command: Command) -> bool:
        """False when the word is on another command that had this one's id before."""
        return self.command_created_at in (None, command.created_at)

    def ends(self, command: Command) -> bool:
        """True when the command, as it stands, is open and this word on it is its end."""
        mine = self.region == command.region and self.is_on(command)
        return mine and self.state.ended and not command.state.ended

    def sayable(self) -> Self:
        """The same, in words that every journal, wire and store can keep: faults and clouds say anything."""
        progress = replace(self.progress, detail=sayable(self.progress.detail))
        return replace(self, progress=progress, detail=sayable(self.detail))
