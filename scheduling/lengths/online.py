"""Output length predictions from past requests, by model, tier and prompt bin.

Aladdin (arXiv 2405.06856, output length): the historical mean given the input-length bin, and for a
request that outlives it E[L | L > generated] of its bin. A bin in which little ended is drawn to its
whole tier; a tier in which nothing ended is what the catalogue assumes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, Tier
from scheduling.compiled import in_python
from scheduling.lengths.histogram import LengthHistogram
from scheduling.lengths.prediction import MOST_OUTPUT_TOKENS, LengthPrediction
from scheduling.rules.lengths import drawn_to, input_bin

_drawn_to = in_python(drawn_to)
_input_bin = in_python(input_bin)
_OUTLIVED = 1.5
"""Who generates more than anybody before it is expected to end at one and a half times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """`memory`: lengths after which one counts e times less; `weight`: the tier counts in each of its
    bins as so many requests; `quantile` that `high_tokens` is. All ours."""

    memory: float = 1000.0
    weight: float = 10.0
    quantile: float = 0.9

    def __post_init__(self) -> None:
        if self.memory < 1 or self.weight <= 0 or not 0 < self.quantile < 1:
            raise InvalidInput("learning", f"{self} is out of range")


class OnlineLengths:
    """Implements `LengthPredictor`."""

    def __init__(self, catalogue: FleetCatalogue, learning: Learning | None = None) -> None:
        self._learning = learning or Learning()
        self._assumed = {
            (model.name, spec.tier): spec.assumed_output_tokens
            for model in catalogue.models
            for spec in model.tiers
        }
        self._catalogue = catalogue
        self._tiers: dict[tuple[ModelName, Tier], LengthHistogram] = {}
        self._bins: dict[tuple[ModelName, Tier, int], LengthHistogram] = {}

    def predict(self, model: ModelName, tier: Tier, input_tokens: int) -> LengthPrediction:
        whole = self._tier(model, tier)
        if whole is None:
            return self._prediction(self._assumed[model, tier], 0.0, 0.0)
        own = self._bins.get((model, tier, _input_bin(input_tokens)))
        if own is None:
            high = whole.quantile(self._learning.quantile)
            return self._prediction(whole.mean, whole.variance, high)
        weight, q = self._learning.weight, self._learning.quantile
        return self._prediction(
            _drawn_to(own.mean, own.count, whole.mean, weight),
            _drawn_to(own.variance, own.count, whole.variance, weight),
            _drawn_to(own.quantile(q), own.count, whole.quantile(q), weight),
        )

    def survivor(
        self, model: ModelName, tier: Tier, input_tokens: int, generated_tokens: int
    ) -> LengthPrediction:
        if generated_tokens < 0:
            raise InvalidInput("generated_tokens", f"{generated_tokens} is negative")
        whole = self._tier(model, tier)
        if generated_tokens == 0:
            return self.predict(model, tier, input_tokens)
        own = self._bins.get((model, tier, _input_bin(input_tokens)))
        expected = None
        for past in (own, whole):
            if past is not None and expected is None:
                expected = past.mean_above(generated_tokens)
        if expected is None:
            assumed = self._assumed[model, tier] if whole is None else 0.0
            expected = max(assumed, _OUTLIVED * generated_tokens)
        return self._prediction(max(expected, generated_tokens + 1.0), 0.0, 0.0)

    def observe(self, model: ModelName, tier: Tier, input_tokens: int, output_tokens: int) -> None:
        if not 1 <= output_tokens <= MOST_OUTPUT_TOKENS:
            raise InvalidInput("output_tokens", f"{output_tokens} is not a valid length")
        self._tier(model, tier)
        memory = self._learning.memory
        key = (model, tier, _input_bin(input_tokens))
        self._tiers.setdefault((model, tier), LengthHistogram(memory)).add(output_tokens)
        self._bins.setdefault(key, LengthHistogram(memory)).add(output_tokens)

    def _tier(self, model: ModelName, tier: Tier) -> LengthHistogram | None:
        """What is remembered of the tier. Raises UnknownModel or UnknownTier where it is not offered."""
        if (model, tier) not in self._assumed:
            self._catalogue.model(model).offered(tier)
        return self._tiers.get((model, tier))

    def _prediction(self, mean: float, variance: float, high: float) -> LengthPrediction:
        bounded = min(max(1.0, mean), MOST_OUTPUT_TOKENS)
        return LengthPrediction(
            mean_tokens=bounded,
            deviation_tokens=math.sqrt(variance),
            high_tokens=min(max(bounded, high), MOST_OUTPUT_TOKENS),
            quantile=self._learning.quantile,
        )
