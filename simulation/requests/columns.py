"""Requests as columns: when each arrives, whose demand it is, and how many tokens it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput

LONGEST_TOKENS = 10_000_000
"""No context window reaches this: a longer request is a broken one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestColumns:
    """Requests sorted by arrival; arrays of one shape `(requests,)`.

    `arrival_seconds` count from the source's start, `demand` is a place in the source's `demands`.
    Raises InvalidInput, naming the first request that breaks a rule.
    """

    arrival_seconds: NDArray[np.float64]
    demand: NDArray[np.int16]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]

    def __post_init__(self) -> None:
        columns = (self.arrival_seconds, self.demand, self.input_tokens, self.output_tokens)
        if self.arrival_seconds.ndim != 1 or len({column.shape for column in columns}) != 1:
            raise InvalidInput("requests", "needs four one-dimensional columns of one length")
        if not len(self):
            return
        _refuse("arrival_seconds", ~np.isfinite(self.arrival_seconds), "is not a time")
        late = self.arrival_seconds[1:] < self.arrival_seconds[:-1]
        _refuse("arrival_seconds", late, "arrives after the next one: requests must be sorted")
        for name, tokens in (
            ("input_tokens", self.input_tokens),
            ("output_tokens", self.output_tokens),
        ):
            _refuse(name, tokens < 0, "is negative")
            _refuse(name, tokens > LONGEST_TOKENS, f"is too long (at most {LONGEST_TOKENS:,})")

    def __len__(self) -> int:
        return len(self.arrival_seconds)

    def part(self, first: int, last: int) -> RequestColumns:
        """Requests `first` up to but not including `last`, as views."""
        part = slice(first, last)
        return RequestColumns(
            arrival_seconds=self.arrival_seconds[part],
            demand=self.demand[part],
            input_tokens=self.input_tokens[part],
            output_tokens=self.output_tokens[part],
        )

    def between(self, begin_seconds: float, end_seconds: float) -> RequestColumns:
        """Those that arrive within `[begin_seconds, end_seconds)`, as views."""
        first, last = np.searchsorted(self.arrival_seconds, (begin_seconds, end_seconds))
        return self.part(int(first), int(last))


def no_requests() -> RequestColumns:
    """Nobody asks."""
    return RequestColumns(
        arrival_seconds=np.empty(0, np.float64),
        demand=np.empty(0, np.int16),
        input_tokens=np.empty(0, np.int32),
        output_tokens=np.empty(0, np.int32),
    )


def joined(parts: Sequence[RequestColumns]) -> RequestColumns:
    """Parts that follow one another in time, as one. Raises InvalidInput when they do not."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_requests()
    return RequestColumns(
        arrival_seconds=np.concatenate([part.arrival_seconds for part in parts]),
        demand=np.concatenate([part.demand for part in parts]),
        input_tokens=np.concatenate([part.input_tokens for part in parts]),
        output_tokens=np.concatenate([part.output_tokens for part in parts]),
    )


def _refuse(column: str, bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        raise InvalidInput(f"requests.{column}[{int(bad.argmax())}]", why)
