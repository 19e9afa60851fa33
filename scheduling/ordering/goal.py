"""The objective of an ordering."""

from __future__ import annotations

from enum import StrEnum

from scheduling.ordering.search import COUNT, EXPECTED, RATIO


class Goal(StrEnum):
    """Measures of an order; larger is better."""

    GAIN = "gain"
    """G = n/t: promises kept per second of latency (arXiv 2504.14966)."""
    KEPT = "kept"
    """n first, then a short t: ours, since G gives a promise up for enough seconds."""

    LIKELY = "likely"
    """The same with n by probability: predictions are in doubt, and so is when a batch begins."""

    @property
    def compiled(self) -> int:
        """What the compiled search calls it."""
        return {Goal.GAIN: RATIO, Goal.KEPT: COUNT, Goal.LIKELY: EXPECTED}[self]

    def of(self, met: float, seconds: float) -> tuple[float, float]:
        """How good n and t are: the larger, the better; compares as a pair."""
        if self is Goal.GAIN:
            return met / seconds if seconds else 0.0, -seconds
        return met, -seconds
