"""How clients behave: how long they queue, and whether they come back when they are turned away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.catalogue import TierSpec
from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Interactive requests queue for max(`least_patience`, `patience_in_promises` × TTFT promise),
    batch requests for their deadline.

    Who is turned away comes back with probability `returns`, at most `retries` times: first after
    `back_off`, then each time `growth` times as long after. The fluid engine knows no retries.
    """

    least_patience: timedelta = timedelta(seconds=30)
    patience_in_promises: float = 2.0
    retries: int = 0
    back_off: timedelta = timedelta(seconds=10)
    returns: float = 1.0
    growth: float = 1.0

    def __post_init__(self) -> None:
        if self.least_patience <= timedelta(0) or self.patience_in_promises < 0:
            raise InvalidInput("clients", "patience must be positive")
        if not 0 <= self.retries <= 100 or self.back_off < timedelta(0):
            raise InvalidInput("clients", "needs 0 to 100 retries and a back-off of 0 or more")
        if not 0 <= self.returns <= 1 or self.growth < 1:
            raise InvalidInput("clients", "returns must lie within [0, 1], growth not below 1")

    def patience_seconds(self, spec: TierSpec) -> float:
        """How long a request of that tier queues before it is given up."""
        if spec.slo.deadline is not None:
            return spec.slo.deadline.total_seconds()
        promise = self.patience_in_promises * spec.slo.ttft_floor_seconds
        return max(self.least_patience.total_seconds(), promise)
