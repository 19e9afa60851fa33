"""The VM driver's durable state: intents with their tokens, and our VMs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from heliostat.model.command import RefusalKind
from heliostat.model.fleet import StartKind
from heliostat.model.names import PoolKey


class ChunkState(StrEnum):
    """Where one purchase stands."""

    PLANNED = "planned"
    """Certainly nothing bought."""
    SENT = "sent"
    """In doubt: the cloud may have been asked; only its token may be asked again."""
    LANDED = "landed"
    """Its VMs are known."""
    DROPPED = "dropped"
    """Certainly nothing bought, and nothing will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Part of a purchase: one call to the cloud under one token."""

    token: str
    pool: PoolKey
    count: int
    state: ChunkState = ChunkState.PLANNED
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an intent ended short."""

    kind: RefusalKind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one command means in VMs, worked out once and written down before the first cloud call.

    `intent_id` is the command's id with its creation, since a control plane with a fresh database
    counts from one again. A closed intent never acts again.
    """

    intent_id: str
    command_id: str
    targets: tuple[tuple[PoolKey, int], ...]
    chunks: tuple[Chunk, ...] = ()
    releases: tuple[str, ...] = ()
    """VMs to drain and give back."""
    moves: tuple[str, ...] = ()
    """VMs to change to the order's destination."""
    repairs: int = 0
    """How many times VMs were ordered in place of ones that died under this order."""
    closed_at: datetime | None = None
    refusal: Refusal | None = None

    @property
    def closed(self) -> bool:
        """True when it never acts again."""
        return self.closed_at is not None

    @property
    def waiting(self) -> tuple[Chunk, ...]:
        """Chunks that are not settled, in order."""
        return tuple(c for c in self.chunks if c.state in (ChunkState.PLANNED, ChunkState.SENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRecord:
    """One VM that is ours: for which pool, for which order, and what happened to it so far."""

    vm_id: str
    pool: PoolKey
    intent_id: str
    """The order that bought or moved it last; empty for an adopted VM."""
    ordered_at: datetime
    start_kind: StartKind = StartKind.COLD
    address: str = ""
    ready_at: datetime | None = None
    draining_since: datetime | None = None
    moving_to: PoolKey | None = None
    """While it drains before its model changes."""
    asked_at: datetime | None = None
    """When the cloud was last asked to redeploy it. While `moving_to` is set, it may be on its way or not."""
    operation_id: str = ""
    """The redeploy under way; empty once it succeeded."""
    released_at: datetime | None = None
    """When the cloud was asked to take it back."""
    gone_at: datetime | None = None
    broken: bool = False
    """True when it failed (its redeploy, or it vanished unasked) rather than being given back."""


class DriverMemory(Protocol):
    """Durable before it returns; each `save` is one transaction."""

    def intent(self, intent_id: str) -> Intent | None:
        """None before the first save."""
        ...

    def intents(self) -> tuple[Intent, ...]:
        """Those open, and those closed lately (their tokens still name our VMs)."""
        ...

    def vms(self) -> tuple[VmRecord, ...]:
        """All records, gone ones too until they are pruned, in order of purchase."""
        ...

    def desired(self) -> Mapping[PoolKey, int]:
        """Per pool the target that was accepted last."""
        ...

    def save(
        self,
        *,
        intent: Intent | None = None,
        vms: Iterable[VmRecord] = (),
        desired: Mapping[PoolKey, int] | None = None,
    ) -> None:
        """Write all of it or nothing."""
        ...

    def prune(self, before: datetime) -> None:
        """Forget VMs that were gone by then, and intents that were closed by then."""
        ...

    def adoptions(self) -> frozenset[str]:
        """Unknown VMs that an operator asked to adopt."""
        ...
