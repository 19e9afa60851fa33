"""Kinds of batch size: a fixed one, and Chiron's, which follows the backpressure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBatchSize:
    """At most `most` sequences run on a replica; None = as many as its engine law allows."""

    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise InvalidInput("batch_size.most", f"{self.most} is not at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChironBatchSize:
    """Chiron's local autoscaler (arXiv 2501.08090, Algorithm 1): B follows the backpressure.

    Every `period`: P = max(ITL ÷ ITL promise, throughput before ÷ throughput now); below 1
    B ← α·B/P + (1 − α)·B, else B ← max(1, B/2). The ITL is the `itl_quantile` over the period, the
    promise that of the strictest tier that runs. Throughput counts only after B grew, since a smaller
    batch has less of it by itself and would be halved to one, and only while at least
    `binding_share` of B run, so that a lull halves nothing; one period grows B at most
    `largest_growth` times. All but `smoothing` are our reading: the paper leaves them open.
    """

    smoothing: float = 0.5
    period: timedelta = timedelta(seconds=2)
    itl_quantile: float = 0.95
    binding_share: float = 0.95
    largest_growth: float = 2.0
    first: int = 8

    def __post_init__(self) -> None:
        shares = (self.smoothing, self.itl_quantile, self.binding_share)
        if not all(0 < share <= 1 for share in shares):
            raise InvalidInput("batch_size", f"shares {shares} must lie in (0, 1]")
        if self.period <= timedelta(0) or self.largest_growth <= 1 or self.first < 1:
            raise InvalidInput("batch_size", "needs a period, growth above 1, a first size of 1")


BatchSize = StaticBatchSize | ChironBatchSize
