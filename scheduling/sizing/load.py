"""A load as sizing sees it: how often requests come, how long they are, what they were promised."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from scheduling.request import Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one kind; tokens are means but for the longest."""

    requests_per_second: float
    input_tokens: float
    output_tokens: float
    promise: Promise
    longest_input_tokens: float | None = None
    """The longest prompt that must be served in time; None = the mean."""
    peak_tokens: float | None = None
    """What a request holds at its end, for memory: a mean or a high quantile; None = the mean."""

    def __post_init__(self) -> None:
        numbers = [self.input_tokens, self.output_tokens, self.longest_input, self.peak]
        if not all(math.isfinite(one) and one >= 1 for one in numbers):
            raise InvalidInput("load", f"{numbers} tokens: each must be at least 1")
        if not (math.isfinite(self.requests_per_second) and self.requests_per_second >= 0):
            raise InvalidInput("load", f"{self.requests_per_second} requests per second")

    @property
    def longest_input(self) -> float:
        """Tokens of the longest prompt."""
        return self.input_tokens if self.longest_input_tokens is None else self.longest_input_tokens

    @property
    def peak(self) -> float:
        """Tokens that a request holds at its end."""
        mean = self.input_tokens + self.output_tokens
        return mean if self.peak_tokens is None else self.peak_tokens
