"""What a built trace is meant to look like: figures to set beside those that are found in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from heliostat.catalogue import FleetCatalogue
from simulation.workload.published import (
    BURST_LEVELS,
    INTERACTIVE_PEAK_TO_TROUGH,
    INTERACTIVE_PERIODICITY,
    TOKEN_LEVELS,
    model_shape,
)


def level_name(level: float) -> str:
    """`p50`, `p99.9`, and `max` for 1."""
    return "max" if level == 1 else f"p{level * 100:g}"


def _levels(given: object) -> object:
    """`{p50: 61}` → `{0.5: 61}`; what is no such mapping is left for the check that follows."""
    if not isinstance(given, dict):
        return given
    return {_level(key): value for key, value in given.items()}


def _level(key: object) -> float:
    text = level_name(key) if isinstance(key, float) else str(key)
    if text == "max":
        return 1.0
    try:
        level = round(float(text.removeprefix("p")) / 100, 6)
    except ValueError:
        level = -1.0
    if not text.startswith("p") or not 0 <= level < 1:
        raise ValueError(f"{text!r} is not a quantile; use p50, p99.9 or max")
    return level


def _rising(quantiles: dict[float, float]) -> dict[float, float]:
    values = [value for _, value in sorted(quantiles.items())]
    if not values or values[0] <= 0 or sorted(values) != values:
        raise ValueError("needs at least one quantile, all above 0 and rising with their level")
    return quantiles


def _below_one(quantiles: dict[float, float]) -> dict[float, float]:
    if 1.0 in quantiles:
        raise ValueError("a length distribution has no max; give the highest known quantile")
    return quantiles


def _named(quantiles: dict[float, float]) -> dict[str, float]:
    return {level_name(level): value for level, value in quantiles.items()}


AnyQuantiles = Annotated[
    dict[float, float],
    BeforeValidator(_levels),
    AfterValidator(_rising),
    PlainSerializer(_named),
]
"""Level within [0, 1] → value; written `{p50: 61, p99.9: 700, max: 900}`."""
Quantiles = Annotated[AnyQuantiles, AfterValidator(_below_one)]
"""Levels below 1 only: a distribution to draw from."""
Positive = Annotated[float, Field(gt=0)]


def _in_order(extent: tuple[float, float]) -> tuple[float, float]:
    if extent[0] > extent[1]:
        raise ValueError("is from where to where: the lower one first")
    return extent


Extent = Annotated[tuple[float, float], AfterValidator(_in_order)]
"""From, to; written `[9, 13]`."""


class TargetFigures(BaseModel):
    """Figures by name; one that is not given is not compared. Rates are requests per second."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean_per_second: Positive | None = None
    peak_per_second: Positive | None = None
    trough_per_second: Positive | None = None
    peak_to_trough: Positive | None = None
    autocorrelation_day: Annotated[float, Field(ge=-1, le=1)] | None = None
    autocorrelation_week: Annotated[float, Field(ge=-1, le=1)] | None = None
    burstiness: AnyQuantiles | None = None
    """Of a minute ÷ the median minute of its hour."""
    prompt_tokens: AnyQuantiles | None = None
    output_tokens: AnyQuantiles | None = None


class ModelTarget(TargetFigures):
    """Figures of one model; burstiness also of its interactive tiers and its batch work apart."""

    interactive_burstiness: AnyQuantiles | None = None
    batch_burstiness: AnyQuantiles | None = None


class TargetSpec(TargetFigures):
    """The target of the whole trace, and of single models; a span says from where to where.

    `interactive_peak_to_trough`: busiest ÷ quietest hour of a weekday, interactive tiers of all models.
    """

    interactive_peak_to_trough: Extent | None = None
    interactive_autocorrelation_day: Extent | None = None
    models: dict[str, ModelTarget] = {}


def published_target(catalogue: FleetCatalogue) -> TargetSpec:
    """What SageServe publishes of the models that the catalogue's stand for, by their order."""
    models = {}
    for index, model in enumerate(catalogue.models):
        shape = model_shape(index)
        models[str(model.name)] = ModelTarget(
            interactive_burstiness=dict(zip(BURST_LEVELS, shape.burst, strict=True)),
            batch_burstiness=dict(zip(BURST_LEVELS, shape.batch_burst, strict=True)),
            prompt_tokens=dict(zip(TOKEN_LEVELS, shape.tokens.prompt, strict=True)),
            output_tokens=dict(zip(TOKEN_LEVELS, shape.tokens.output, strict=True)),
        )
    return TargetSpec(
        models=models,
        interactive_peak_to_trough=INTERACTIVE_PEAK_TO_TROUGH,
        interactive_autocorrelation_day=INTERACTIVE_PERIODICITY,
    )
