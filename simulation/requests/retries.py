"""What callers do who are turned away: some come back, later and later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """A shed request comes back with `probability`, at most `most` times.

    The first return is `back_off` after the refusal, each further one `growth` times as long after
    the next. The default is that nobody comes back.
    """

    probability: float = 0.0
    most: int = 1
    back_off: timedelta = timedelta(seconds=30)
    growth: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InvalidInput("retries.probability", f"{self.probability} is not within [0, 1]")
        if not 0 <= self.most <= 100:
            raise InvalidInput("retries.most", f"{self.most} is out of [0, 100]")
        if self.back_off <= timedelta(0) or self.growth < 1:
            raise InvalidInput("retries", "needs a positive back-off that does not shrink")

    def wait(self, returns: int) -> timedelta:
        """How long after a refusal a request that already came back `returns` times does so again."""
        return self.back_off * self.growth**returns
