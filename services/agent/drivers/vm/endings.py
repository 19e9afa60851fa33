"""How an order ends: settled, refused with a reason, or delayed until a purchase is confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    NotFound,
    PurchaseRefused,
    QuotaExceeded,
    UnknownPool,
)
from heliostat.model.command import RefusalKind
from services.agent.drivers.vm.memory import Chunk, ChunkState, Intent, Refusal
from services.agent.drivers.vm.survey import Patience, Stage, Survey

Refused = CapacityUnavailable | QuotaExceeded | PurchaseRefused | NotFound


def wait_while_in_doubt(chunks: Iterable[Chunk], now: datetime, patience: Patience) -> None:
    """Raises DriverUnavailable until the list shows for certain whether a lost call bought something."""
    for chunk in chunks:
        clear_at = (chunk.sent_at or now) + patience.visibility
        if chunk.state is ChunkState.SENT and now <= clear_at:
            raise DriverUnavailable(
                f"whether {chunk.count} VMs were bought is unknown until {clear_at:%H:%M:%S}"
            )


def is_settled(intent: Intent, survey: Survey) -> bool:
    """Everything bought, moved and given back, and every pool ready at its target."""
    stages = {s.record.vm_id: s for s in survey.ours}
    leaving = [stages[vm] for vm in intent.releases if vm in stages]
    moving = [stages[vm] for vm in intent.moves if vm in stages]
    if intent.waiting or any(s.stage is not Stage.GONE for s in leaving):
        return False
    if any(s.record.moving_to is not None for s in moving):
        return False
    return all(
        sum(s.stage is Stage.READY for s in survey.standing(pool)) >= target
        for pool, target in intent.targets
    )


def refusal_of(error: Refused) -> Refusal:
    """The error as the intent keeps it."""
    return Refusal(kind=RefusalKind.of(error), message=str(error))


def error_of(refusal: Refusal) -> Refused:
    """The error that the intent kept, to be raised again."""
    match refusal.kind:
        case RefusalKind.NO_CAPACITY:
            return CapacityUnavailable(refusal.message)
        case RefusalKind.QUOTA:
            return QuotaExceeded(refusal.message)
        case RefusalKind.DRIVER_ERROR:
            return PurchaseRefused(refusal.message)
        case _:
            return UnknownPool(refusal.message)
