"""One simulated replica's life, and the stages that it may pass through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from heliostat.errors import Precondition
from heliostat.model.fleet import StartKind
from heliostat.model.names import PoolKey


class Stage(StrEnum):
    """Where a replica is in its life; a VM is paid for in every stage but the last."""

    REQUESTED = "requested"
    PROVISIONING = "provisioning"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    LENT = "lent"
    """Drained and lent to the spot market: paid for at zero credit, no capacity, ours to take back."""
    FAILED = "failed"
    RELEASED = "released"


COMING = (Stage.REQUESTED, Stage.PROVISIONING, Stage.LOADING)
BILLED = tuple(stage for stage in Stage if stage is not Stage.RELEASED)
OVERHEAD = (*COMING, Stage.DRAINING, Stage.FAILED)
"""Paid for, and no capacity."""

_MAY_BECOME: dict[Stage, tuple[Stage, ...]] = {
    Stage.REQUESTED: (Stage.PROVISIONING, Stage.FAILED, Stage.RELEASED),
    Stage.PROVISIONING: (Stage.LOADING, Stage.FAILED, Stage.RELEASED),
    Stage.LOADING: (Stage.READY, Stage.FAILED, Stage.RELEASED),
    Stage.READY: (Stage.DRAINING, Stage.FAILED),
    # Drained, a VM is given back or lent, or loads the model of the pool that it moves to.
    Stage.DRAINING: (Stage.RELEASED, Stage.LOADING, Stage.LENT, Stage.FAILED),
    Stage.LENT: (Stage.LOADING, Stage.READY, Stage.RELEASED, Stage.FAILED),
    Stage.FAILED: (Stage.RELEASED,),
    Stage.RELEASED: (),
}


@dataclass(slots=True, kw_only=True)
class Replica:
    """A VM with a model on it. `destination` is the pool that it is being redeployed to."""

    replica_id: str
    number: int
    pool: PoolKey
    start_kind: StartKind
    ordered_at: datetime
    since: datetime
    stage: Stage = Stage.REQUESTED
    command_id: str = ""
    """The last command that acted on it."""
    destination: PoolKey | None = None
    taken_at: datetime | None = None
    """When the cloud takes an evicted VM, whatever runs on it."""
    served: bool = False
    """Whether it was ever ready."""
    life: int = 1
    """Grows when it is redeployed, taken back or fails, so that chance and planned events of the life before
    do not return."""

    @property
    def counts_for(self) -> PoolKey:
        """The pool whose capacity it is, or will be."""
        return self.destination or self.pool

    @property
    def stands(self) -> bool:
        """True when it serves or will serve."""
        return self.stage in COMING or self.stage is Stage.READY or self.destination is not None

    def become(self, stage: Stage, at: datetime) -> None:
        """Enter the next stage. Raises Precondition when life does not go that way."""
        if stage not in _MAY_BECOME[self.stage]:
            raise Precondition(f"{self.replica_id} is {self.stage} and cannot become {stage}")
        self.stage, self.since = stage, at
        self.served = self.served or stage is Stage.READY
