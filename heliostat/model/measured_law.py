"""An engine law as a region's agent found it by watching engines at work, and what that rests on."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.errors import InvalidInput
from heliostat.model.names import PoolKey

LEAST_SECONDS = 1e-9
MOST = 1e9
"""No engine is quicker or slower; planning on such times would leave what numbers can hold."""
Range = tuple[float, float]
"""The least and the most; (0, 0) = none was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLaw:
    """The times of one pool's engines, in the words of `EngineLaw`: seconds, per token, per sequence, per
    thousand tokens of a sequence's context. Memory is not measured: the catalogue says it.

    `error`: how much longer than expected the last iterations took, a high quantile, relative: 0.1 = a
    tenth longer. Within the ranges the law interpolates, beyond them it extrapolates.
    """

    pool: PoolKey
    prefill_base: float
    prefill_per_token: float
    prefill_per_token_beyond_knee: float
    decode_base: float
    decode_per_sequence: float
    decode_per_sequence_kilotoken: float
    error: float
    prefills: int
    """Observed prefills, or means of several, that it rests on."""
    iterations: int
    """Observed decode iterations, or means of several."""
    prompt_tokens: Range = (0.0, 0.0)
    """Of one prefill."""
    sequences: Range = (0.0, 0.0)
    """In one iteration."""
    prefill_ratio: float = 1.0
    """Seconds of a prefill by this law ÷ by the catalogue's, in the middle of the range; 1 = as promised."""
    iteration_ratio: float = 1.0
    """The same of a decode iteration."""

    def __post_init__(self) -> None:
        positive = (self.prefill_per_token, self.decode_base)
        others = (
            self.prefill_per_token_beyond_knee,
            self.decode_per_sequence,
            self.decode_per_sequence_kilotoken,
            self.error,
            self.prefill_base,
            self.prefill_ratio,
            self.iteration_ratio,
        )
        numbers = (*positive, *others, *self.prompt_tokens, *self.sequences)
        if not all(0 <= number <= MOST for number in numbers):
            raise InvalidInput("measured_law", f"{self.pool}: {numbers} must lie in [0, {MOST:g}]")
        if min(positive) < LEAST_SECONDS or min(self.prefills, self.iterations) < 0:
            raise InvalidInput("measured_law", f"{self.pool}: times must be positive")

    @property
    def observed(self) -> int:
        """How many observations it rests on."""
        return self.prefills + self.iterations
