"""A prediction of how many tokens a request generates, and the port of those who make one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, Tier

MOST_OUTPUT_TOKENS = 4_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPrediction:
    """Output tokens of one request: mean, standard deviation, and the `quantile`-quantile `high`."""

    mean_tokens: float
    deviation_tokens: float = 0.0
    high_tokens: float
    quantile: float = 0.9

    def __post_init__(self) -> None:
        values = (self.mean_tokens, self.deviation_tokens, self.high_tokens)
        if not all(math.isfinite(value) for value in values):
            raise InvalidInput("prediction", f"{values} tokens must be finite")
        if not 1 <= self.mean_tokens <= MOST_OUTPUT_TOKENS or self.deviation_tokens < 0:
            raise InvalidInput(
                "prediction", f"mean {self.mean_tokens}, deviation {self.deviation_tokens} tokens"
            )
        if not 1 <= self.high_tokens <= MOST_OUTPUT_TOKENS or not 0 < self.quantile < 1:
            raise InvalidInput(
                "prediction", f"{self.quantile}-quantile of {self.high_tokens} tokens"
            )

    @classmethod
    def exactly(cls, tokens: float) -> LengthPrediction:
        """A prediction without doubt: what a caller states, or an oracle knows."""
        return cls(mean_tokens=tokens, high_tokens=tokens)


class LengthPredictor(Protocol):
    """Predicts output lengths, and learns from requests that ended."""

    def predict(self, model: ModelName, tier: Tier, input_tokens: int) -> LengthPrediction:
        """The output of such a request as the past suggests; before any has ended, as the catalogue
        assumes. Raises UnknownModel or UnknownTier when neither knows."""
        ...

    def survivor(
        self, model: ModelName, tier: Tier, input_tokens: int, generated_tokens: int
    ) -> LengthPrediction:
        """The *whole* output of a request that generates still after so many tokens: E[L | L >
        generated], always more than `generated_tokens`. Raises as `predict`."""
        ...

    def observe(self, model: ModelName, tier: Tier, input_tokens: int, output_tokens: int) -> None:
        """A request ended after so many tokens. Raises InvalidInput for fewer than one."""
        ...
