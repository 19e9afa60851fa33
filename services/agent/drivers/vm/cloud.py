"""The interface between the VM driver, a cloud, and the engines on its VMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from heliostat.errors import DriverUnavailable
from heliostat.model.names import PoolKey


class NotDone(DriverUnavailable):
    """The cloud answered that it will not: at most tags were changed. Other errors leave that in doubt."""


class VmState(StrEnum):
    """Where the cloud says a VM stands."""

    PENDING = "pending"
    RUNNING = "running"
    GONE = "gone"
    """Stopped, stopping, terminated: it will not serve again."""


class RedeployState(StrEnum):
    """How far the cloud is with changing the model on a VM."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudVm:
    """One VM of our region as the cloud lists it; `token` is that of the purchase, from its tags."""

    vm_id: str
    state: VmState
    launched_at: datetime
    pool: PoolKey | None = None
    """None when its tags name no pool."""
    address: str = ""
    """host:port of its engine; empty until the cloud gave one."""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """Up to `count` VMs for a pool under one token, which the cloud honours at most once."""

    token: str
    pool: PoolKey
    count: int
    command_id: str


class VmCloud(Protocol):
    """One region of a cloud. Every method raises Throttled or DriverUnavailable (try again later)."""

    def list_vms(self) -> tuple[CloudVm, ...]:
        """All VMs that carry this region's tag; may lag behind purchases by a minute or two."""
        ...

    def buy(self, purchase: Purchase) -> tuple[CloudVm, ...]:
        """Between one and `count` VMs; the same token again gives the same VMs, never more.

        Raises CapacityUnavailable, QuotaExceeded, PurchaseRefused, UnknownPool (then nothing was bought);
        after DriverUnavailable it is not known whether something was.
        """
        ...

    def release(self, vm_ids: Sequence[str]) -> None:
        """Give VMs back; repeatable, also for VMs that are gone."""
        ...

    def redeploy(self, vm_id: str, pool: PoolKey, command_id: str) -> str:
        """Change a VM's tags to those of a pool, then its model; repeatable. Returns the operation's id.

        After Throttled and DriverUnavailable it is not known whether the VM is on its way, unless that is
        NotDone.
        """
        ...

    def redeploy_state(self, vm_id: str, operation_id: str) -> RedeployState:
        """How far that operation is; asked only of VMs that are listed as alive."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWork:
    """What one engine did since the look before; None = it does not measure that (never zero)."""

    span_seconds: float
    """Real time between the two looks."""
    gaps: float | None = None
    """Gaps between output tokens, of all sequences."""
    gap_seconds: float | None = None
    """Their sum: longer than the span by as much as sequences decoded side by side."""
    prompt_tokens: float | None = None
    """Tokens of all prompts that were read."""
    prefills: float | None = None
    """Requests of which the prefill was timed."""
    prefill_seconds: float | None = None
    """What their prefills took in all."""
    prefill_tokens: float | None = None
    """Tokens of their prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReading:
    """What one engine said of itself; None = it does not measure that (never zero)."""

    healthy: bool
    running_requests: int | None = None
    waiting_requests: int | None = None
    kv_occupancy: float | None = None
    queue_seconds: float | None = None
    """Mean queue time of requests that left the queue since the reading before."""
    work: EngineWork | None = None
    """None at the first look, and where nothing of it is measured."""

    @property
    def in_flight(self) -> int | None:
        """Requests that the engine holds; None when either part was not measured."""
        if self.running_requests is None or self.waiting_requests is None:
            return None
        return self.running_requests + self.waiting_requests


class EngineProber(Protocol):
    """Looks at engines."""

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        """Per address a reading; an engine that does not answer is unhealthy. Never raises."""
        ...
