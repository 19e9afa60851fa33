"""Requests with the outputs that they will have, what became of them, and how that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from scheduling.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request, and what nobody knows who orders it: how many tokens it generates."""

    request: Request
    output_tokens: int

    def __post_init__(self) -> None:
        if self.output_tokens < 1:
            raise InvalidInput("job.output_tokens", f"{self.output_tokens} is not at least 1")

    @property
    def tokens(self) -> int:
        """Of prompt and output together."""
        return self.request.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A job that was served; `first_token` and `end` in seconds of the clock of its arrival."""

    job: Job
    first_token: float
    end: float

    @property
    def seconds(self) -> float:
        """From arrival to last token."""
        return self.end - self.job.request.arrival

    @property
    def kept(self) -> bool:
        """Whether first token, mean gap and last token came as promised."""
        promise = self.job.request.promise
        mean_gap = (self.end - self.first_token) / max(1, self.job.output_tokens - 1)
        return (
            self.first_token - self.job.request.arrival <= promise.ttft_seconds
            and mean_gap <= promise.itl_seconds
            and (promise.e2e_seconds is None or self.seconds <= promise.e2e_seconds)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one order made of a load: share of promises kept, mean seconds from arrival to end, G = n/t."""

    attainment: float
    mean_seconds: float
    gain: float


def outcome(served: Sequence[Served]) -> Outcome:
    """The figures of at least one request."""
    kept = sum(one.kept for one in served)
    seconds = sum(one.seconds for one in served)
    return Outcome(
        attainment=kept / len(served), mean_seconds=seconds / len(served), gain=kept / seconds
    )
