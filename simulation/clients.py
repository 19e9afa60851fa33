"""Client behaviour: how long they queue, and whether they retry when rejected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.catalogue import TierSpec
from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """Who is turned away comes back with `probability`, at most `most` times.

    The first return is `back_off` after the refusal, each further one `growth` times as long after
    the next. The default is that nobody comes back.
    """

    most: int = 0
    back_off: timedelta = timedelta(seconds=10)
    probability: float = 1.0
    growth: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InvalidInput("retries.probability", f"{self.probability} is not within [0, 1]")
        if not 0 <= self.most <= 100:
            raise InvalidInput("retries.most", f"{self.most} is not within [0, 100]")
        if self.back_off < timedelta(0) or self.growth < 1:
            raise InvalidInput("retries", "needs a back-off of 0 or more that does not shrink")

    @property
    def somebody_returns(self) -> bool:
        """False where who is turned away never comes back."""
        return self.most > 0 and self.probability > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Interactive requests queue for max(`least_patience`, `patience_in_promises` × TTFT promise),
    batch requests for their deadline. The fluid engine knows no retries.
    """

    least_patience: timedelta = timedelta(seconds=30)
    patience_in_promises: float = 2.0
    retries: RetryRule = RetryRule()

    def __post_init__(self) -> None:
        if self.least_patience <= timedelta(0) or self.patience_in_promises < 0:
            raise InvalidInput("clients", "patience must be positive")

    def patience_seconds(self, spec: TierSpec) -> float:
        """How long a request of that tier queues before it is given up."""
        if spec.slo.deadline is not None:
            return spec.slo.deadline.total_seconds()
        promise = self.patience_in_promises * spec.slo.ttft_floor_seconds
        return max(self.least_patience.total_seconds(), promise)
