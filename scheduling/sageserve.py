"""SageServe's rules inside a region (POMACS 9(3) 61): how its queue is ordered, when it admits batch work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class DpaBounds:
    """Where DPA draws its lines. The paper gives none: these are ours.

    Four classes, served in this order, interactive-fast first within each: recently expired (past
    the deadline by less than `severe` times the promise), urgent (less than `urgent` of the promise
    left), not urgent, severely expired.
    """

    urgent: float = 0.5
    severe: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.urgent <= 1 or not self.severe >= 0:
            raise InvalidInput("dpa", f"urgent {self.urgent}, severe {self.severe}: out of range")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAdmission:
    """Batch requests wait in a queue of their region and model, oldest first, until replicas have room.

    A replica below `two_below` utilisation takes two of them, below `one_below` one; what waited
    for `promoted_after` queues like an interactive-normal request.
    """

    one_below: float = 0.6
    two_below: float = 0.5
    promoted_after: timedelta = timedelta(hours=10)

    def __post_init__(self) -> None:
        if not 0 <= self.two_below <= self.one_below:
            raise InvalidInput("batch_admission", "two_below must lie within [0, one_below]")
        if self.promoted_after <= timedelta(0):
            raise InvalidInput("batch_admission.promoted_after", "must be positive")
