"""How long to wait before the next attempt: longer each time, never the same for two agents."""

from __future__ import annotations

from random import Random


class Backoff:
    """Capped exponential back-off with full jitter over its upper half; chance is given."""

    def __init__(
        self, chance: Random, *, first_seconds: float = 0.5, cap_seconds: float = 30.0
    ) -> None:
        self._chance = chance
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self._failures = 0

    def next_seconds(self) -> float:
        """The next wait: between half and all of min(cap, first × 2^failures)."""
        longest = min(self._cap_seconds, self._first_seconds * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return longest * (0.5 + 0.5 * self._chance.random())

    def reset(self) -> None:
        """Something worked: begin again with the first."""
        self._failures = 0
