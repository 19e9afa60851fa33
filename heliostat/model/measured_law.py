"""An engine law refitted by a region's agent, with the observations behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from heliostat.errors import InvalidInput
from heliostat.model.names import PoolKey

_LEAST_SECONDS = 1e-9
_MOST = 1e9
"""No engine is quicker or slower; planning on such times would leave what numbers can hold."""
_NUMBERS = (
    *("prefill_base", "prefill_per_token", "prefill_per_token_beyond_knee"),
    *("decode_base", "decode_per_sequence", "decode_per_sequence_kilotoken"),
    *("error", "prefill_ratio", "iteration_ratio"),
)
_POSITIVE = ("prefill_per_token", "decode_base")
Range = tuple[float, float]
"""The least and the most; (0, 0) = none was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLaw:
    """The times of one pool's engines, in the words of `EngineLaw`: seconds, per token, per sequence, per
    thousand tokens of a sequence's context. Memory is not measured: the catalogue says it.

    `error`: how much longer than expected the last observations took, a high quantile, relative: 0.1 = a
    tenth longer. Within the ranges the law interpolates, beyond them it extrapolates. Numbers that no
    engine can have raise InvalidInput, which names them.
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
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        for name in ("prompt_tokens", "sequences"):
            numbers |= {
                f"least {name}": getattr(self, name)[0],
                f"most {name}": getattr(self, name)[1],
            }
        for name, number in numbers.items():
            least = _LEAST_SECONDS if name in _POSITIVE else 0
            if not least <= number <= _MOST:
                self._refuse(f"{name} {number} must be within [{least:g}, {_MOST:g}]")
        if min(self.prefills, self.iterations) < 0:
            self._refuse(f"rests on {self.prefills} prefills and {self.iterations} iterations")

    def _refuse(self, why: str) -> NoReturn:
        raise InvalidInput("measured_law", f"{self.pool}: {why}")

    @property
    def observed(self) -> int:
        """How many observations it rests on."""
        return self.prefills + self.iterations
