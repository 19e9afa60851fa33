"""Forecasts, scores and champions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.forecast import Champion, Forecast, ForecastScore
from heliostat.model.names import EVERYWHERE, ModelName, RegionName, SeriesKey, Tier, TokenKind
from heliostat.v1 import forecast_pb2
from services.translation.enums import TIER, TOKEN_KIND
from services.translation.fields import (
    count,
    finite,
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
    required_text,
)
from services.translation.names import (
    known_models,
    known_region,
    series_from_wire,
    series_to_wire,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """Which series are wanted; an empty set matches everything."""

    origins: frozenset[RegionName] = frozenset()
    models: frozenset[ModelName] = frozenset()
    tiers: frozenset[Tier] = frozenset()
    kinds: frozenset[TokenKind] = frozenset()

    def __contains__(self, key: SeriesKey) -> bool:
        return (
            (not self.origins or key.demand.origin in self.origins)
            and (not self.models or key.demand.model in self.models)
            and (not self.tiers or key.demand.tier in self.tiers)
            and (not self.kinds or key.kind in self.kinds)
        )


def filter_to_wire(chosen: SeriesFilter) -> forecast_pb2.SeriesFilter:
    """The filter."""
    return forecast_pb2.SeriesFilter(
        origin_regions=sorted(chosen.origins),
        models=sorted(chosen.models),
        tiers=[TIER.to_wire(tier) for tier in sorted(chosen.tiers)],
        kinds=[TOKEN_KIND.to_wire(kind) for kind in sorted(chosen.kinds)],
    )


def filter_from_wire(
    path: str, chosen: forecast_pb2.SeriesFilter, catalogue: FleetCatalogue
) -> SeriesFilter:
    """The filter. Raises InvalidInput or an Unknown… error."""
    place = f"{path}.origin_regions"
    return SeriesFilter(
        origins=frozenset(
            EVERYWHERE if name == EVERYWHERE else known_region(place, name, catalogue)
            for name in chosen.origin_regions
        ),
        models=known_models(f"{path}.models", chosen.models, catalogue),
        tiers=frozenset(TIER.from_wire(f"{path}.tiers", tier) for tier in chosen.tiers),
        kinds=frozenset(TOKEN_KIND.from_wire(f"{path}.kinds", kind) for kind in chosen.kinds),
    )


def forecast_to_wire(forecast: Forecast) -> forecast_pb2.Forecast:
    """The forecast, a path per quantile."""
    return forecast_pb2.Forecast(
        series=series_to_wire(forecast.key),
        issued_at=instant_to_wire(forecast.issued_at),
        start=instant_to_wire(forecast.start),
        step=length_to_wire(forecast.step),
        method=forecast.method,
        trained_until=instant_to_wire(forecast.trained_until),
        quantiles=[
            forecast_pb2.QuantilePath(
                level=level, mean_tokens_per_second=mean, peak_tokens_per_second=peak
            )
            for level, mean, peak in zip(forecast.levels, forecast.mean, forecast.peak, strict=True)
        ],
        degraded=forecast.degraded,
    )


def forecast_from_wire(path: str, forecast: forecast_pb2.Forecast) -> Forecast:
    """The forecast. Raises InvalidInput."""
    quantiles = forecast.quantiles
    return Forecast(
        key=series_from_wire(required(path, forecast, "series"), forecast.series),
        issued_at=instant_from_wire(required(path, forecast, "issued_at"), forecast.issued_at),
        start=instant_from_wire(required(path, forecast, "start"), forecast.start),
        step=length_from_wire(required(path, forecast, "step"), forecast.step),
        method=required_text(f"{path}.method", forecast.method),
        trained_until=instant_from_wire(
            required(path, forecast, "trained_until"), forecast.trained_until
        ),
        levels=tuple(finite(f"{path}.quantiles.level", one.level) for one in quantiles),
        mean=_rows(path, quantiles, lambda one: one.mean_tokens_per_second),
        peak=_rows(path, quantiles, lambda one: one.peak_tokens_per_second),
        degraded=forecast.degraded,
    )


def score_to_wire(score: ForecastScore) -> forecast_pb2.ForecastScore:
    """The score."""
    return forecast_pb2.ForecastScore(
        series=series_to_wire(score.key),
        method=score.method,
        horizon=length_to_wire(score.horizon),
        scored_steps=score.scored,
        wape=score.wape,
        bias=score.bias,
        pinball_tokens_per_second=score.pinball,
        coverage=[
            forecast_pb2.QuantileCoverage(level=level, coverage=share)
            for level, share in score.coverage
        ],
    )


def score_from_wire(path: str, score: forecast_pb2.ForecastScore) -> ForecastScore:
    """The score. Raises InvalidInput."""
    return ForecastScore(
        key=series_from_wire(required(path, score, "series"), score.series),
        method=required_text(f"{path}.method", score.method),
        horizon=length_from_wire(required(path, score, "horizon"), score.horizon),
        scored=count(f"{path}.scored_steps", score.scored_steps),
        wape=finite(f"{path}.wape", score.wape) if score.HasField("wape") else None,
        bias=finite(f"{path}.bias", score.bias) if score.HasField("bias") else None,
        pinball=finite(f"{path}.pinball", score.pinball_tokens_per_second),
        coverage=tuple((one.level, one.coverage) for one in score.coverage),
    )


def champion_to_wire(champion: Champion) -> forecast_pb2.Champion:
    """The champion."""
    return forecast_pb2.Champion(
        series=series_to_wire(champion.key),
        method=champion.method,
        since=instant_to_wire(champion.since),
        reason=champion.reason,
        losses=[
            forecast_pb2.CandidateLoss(method=method, pinball_tokens_per_second=loss)
            for method, loss in champion.losses
        ],
    )


def champion_from_wire(path: str, champion: forecast_pb2.Champion) -> Champion:
    """The champion. Raises InvalidInput."""
    return Champion(
        key=series_from_wire(required(path, champion, "series"), champion.series),
        method=required_text(f"{path}.method", champion.method),
        since=instant_from_wire(required(path, champion, "since"), champion.since),
        reason=champion.reason,
        losses=tuple((one.method, one.pinball_tokens_per_second) for one in champion.losses),
    )


def _rows(
    path: str,
    quantiles: Sequence[forecast_pb2.QuantilePath],
    row: Callable[[forecast_pb2.QuantilePath], Sequence[float]],
) -> tuple[tuple[float, ...], ...]:
    rows = tuple(tuple(row(one)) for one in quantiles)
    if not rows:
        raise InvalidInput(f"{path}.quantiles", "contains no quantile")
    for values in rows:
        finite(f"{path}.quantiles", sum(values))
    return rows
