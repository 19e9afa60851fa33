"""A request as a dispatcher sees it, and what it was promised; its output length is never known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, Tier
from scheduling.lengths.prediction import LengthPrediction

MOST_INPUT_TOKENS = 4_000_000
"""Longer prompts are taken for a mistake: no model reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What one request may expect, in seconds after its arrival.

    `itl_seconds` bounds the mean gap between output tokens, Aladdin's ATGT: decode time ÷
    (output tokens − 1). `e2e_seconds`: when the last token is due; None = whenever.
    """

    ttft_seconds: float
    itl_seconds: float
    e2e_seconds: float | None = None

    def __post_init__(self) -> None:
        bounds = [self.ttft_seconds, self.itl_seconds]
        if self.e2e_seconds is not None:
            bounds.append(self.e2e_seconds)
        if not all(bound > 0 and not math.isnan(bound) for bound in bounds):
            raise InvalidInput("request.promise", f"{bounds} must be positive seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that asks for a replica; `arrival` in seconds of the caller's clock.

    `predicted` None: nobody predicted its output yet (`with_prediction`).
    """

    id: str
    model: ModelName
    tier: Tier
    input_tokens: int
    arrival: float
    promise: Promise
    predicted: LengthPrediction | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise InvalidInput("request.id", "is empty")
        if not 1 <= self.input_tokens <= MOST_INPUT_TOKENS:
            raise InvalidInput(
                "request.input_tokens",
                f"{self.input_tokens} is not within 1 … {MOST_INPUT_TOKENS:,}",
            )
        if not math.isfinite(self.arrival):
            raise InvalidInput("request.arrival", f"{self.arrival} is not an instant")

    @property
    def length(self) -> LengthPrediction:
        """The predicted output. Raises InvalidInput when nobody predicted it."""
        if self.predicted is None:
            raise InvalidInput(
                "request.predicted", f"{self.id} has none", remedy="use a length predictor first"
            )
        return self.predicted

    def with_prediction(self, predicted: LengthPrediction) -> Request:
        """The same request with that prediction of its output."""
        return replace(self, predicted=predicted)


def promise_of(
    catalogue: FleetCatalogue, model: str, tier: str, input_tokens: int
) -> tuple[ModelName, Tier, Promise]:
    """What the catalogue promises to such a request, with its checked names.

    Raises UnknownModel, and UnknownTier for a tier that does not exist or that the model lacks.
    """
    spec = catalogue.model(model)
    named = Tier.parse(tier)
    offered = spec.offered(named)
    slo = offered.slo
    promise = Promise(
        ttft_seconds=spec.ttft_seconds(offered, input_tokens),
        itl_seconds=slo.itl_seconds,
        e2e_seconds=None if slo.deadline is None else slo.deadline.total_seconds(),
    )
    return spec.name, named, promise
