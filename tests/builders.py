"""Builders of small, valid values: tests say what matters to them and take the rest from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, RegionObservation, Signal
from heliostat.model.forecast import QUANTILE_LEVELS, Forecast
from heliostat.model.names import (
    DemandKey,
    ModelName,
    PoolKey,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
    VmTypeName,
)
from heliostat.model.usage import UsageBatch, UsageSeries, UsageWindow, batch_of

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday noon: the instant at which tests happen unless they say otherwise."""
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def catalogue_mapping() -> dict[str, Any]:
    """Two regions, two models, two VM types, as the YAML file would say it; change it freely."""
    tiers = {
        "interactive-fast": {
            "ttft_seconds": 1.0,
            "ttft_prefill_multiple": 3.0,
            "reference_vm_type": "big",
            "itl_seconds": 0.2,
            "latency_budget_ms": 100,
            "input_tokens": 1000,
            "output_tokens": 100,
        },
        "interactive-normal": {
            "ttft_seconds": 60,
            "itl_seconds": 0.3,
            "latency_budget_ms": 200,
            "input_tokens": 1000,
            "output_tokens": 100,
        },
        "batch": {
            "ttft_seconds": 36000,
            "itl_seconds": 1.0,
            "latency_budget_ms": 400,
            "deadline_seconds": 86400,
            "input_tokens": 1000,
            "output_tokens": 100,
        },
    }
    small = {
        "prefill_ms": [44.22, 0.1089, 0.1256],
        "decode_ms": [44.07, 0.1897, 0.3354],
        "kv_bytes_per_token": 327680,
        "kv_gb": 436,
        "max_batch": 64,
        "fitted_batch": 64,
    }
    big = {**small, "prefill_ms": [42.41, 0.0394, 0.0628], "decode_ms": [29.89, 0.1993, 0.1785]}
    offers = {
        "small": {"quota": 40, "on_demand": 20.0},
        "big": {"quota": 20, "on_demand": 50.0},
    }
    return {
        "version": 1,
        "regions": [
            {
                "name": "east",
                "time_zone": "America/New_York",
                "ingress_endpoint": "127.0.0.1:18001",
                "vm_types": offers,
            },
            {
                "name": "west",
                "time_zone": "America/Los_Angeles",
                "ingress_endpoint": "127.0.0.1:18002",
                "vm_types": offers,
            },
        ],
        "vm_types": [
            {"name": "small", "gpu": "A100", "gpus": 8},
            {"name": "big", "gpu": "H100", "gpus": 8},
        ],
        "models": [
            {
                "name": name,
                "weights_gb": 140,
                "tiers": tiers,
                "engines": {"small": small, "big": big},
            }
            for name in ("alpha", "beta")
        ],
        "pools": {"min_replicas": 1, "max_replicas": 30},
        "round_trip_ms": {"east": {"east": 4, "west": 70}, "west": {"west": 4}},
        "lead_times": {
            "default": {
                "cold": {"p50_seconds": 480, "p90_seconds": 840},
                "warm": {"p50_seconds": 60, "p90_seconds": 120},
                "redeploy-local-weights": {"p50_seconds": 420, "p90_seconds": 600},
                "redeploy-remote-weights": {"p50_seconds": 5400, "p90_seconds": 7200},
            }
        },
        "guardrails": {"cool_down_seconds": 600, "stale_after_seconds": 180},
    }


def a_catalogue(mapping: Mapping[str, Any] | None = None) -> FleetCatalogue:
    """The catalogue of `catalogue_mapping()`, or of a changed copy of it."""
    return parse_catalogue(mapping or catalogue_mapping())


def a_pool(region: str = "east", model: str = "alpha", vm_type: str = "small") -> PoolKey:
    """A pool of the small catalogue."""
    return PoolKey(region=RegionName(region), model=ModelName(model), vm_type=VmTypeName(vm_type))


def a_demand(
    origin: str = "east", model: str = "alpha", tier: Tier = Tier.INTERACTIVE_NORMAL
) -> DemandKey:
    """Somebody's demand."""
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=tier)


def a_series(
    origin: str = "east",
    serving: str = "",
    model: str = "alpha",
    tier: Tier = Tier.INTERACTIVE_NORMAL,
) -> UsageSeries:
    """A usage series, served at home unless said otherwise."""
    return UsageSeries(
        origin=RegionName(origin),
        serving=RegionName(serving or origin),
        model=ModelName(model),
        tier=tier,
    )


def a_window(start: datetime = NOON, **changes: Any) -> UsageWindow:
    """Ten requests of 1000 + 100 tokens, all served."""
    values: dict[str, Any] = {
        "series": a_series(),
        "start": start,
        "offered": 10,
        "admitted": 10,
        "completed": 10,
        "input_tokens": 10_000,
        "output_tokens": 1_000,
    }
    return UsageWindow(**(values | changes))


def a_batch(
    windows: Sequence[UsageWindow],
    *,
    source_id: str = "gateway-1",
    incarnation: int = 1,
    sequence: int = 1,
) -> UsageBatch:
    """These windows as a batch of one source."""
    return batch_of(windows, source_id=source_id, incarnation=incarnation, sequence=sequence)


def a_forecast(
    demand: DemandKey | None = None,
    kind: TokenKind = TokenKind.INPUT,
    tokens_per_second: float = 1000.0,
    *,
    issued_at: datetime = NOON,
    steps: int = 8,
    peak_factor: float = 1.2,
    spread: float = 0.1,
) -> Forecast:
    """A flat forecast whose quantiles widen by `spread` per level."""
    mean = tuple(
        (tokens_per_second * (1 + spread * i),) * steps for i in range(len(QUANTILE_LEVELS))
    )
    return Forecast(
        key=SeriesKey(demand=demand or a_demand(), kind=kind),
        issued_at=issued_at,
        start=issued_at,
        step=QUARTER,
        method="flat",
        trained_until=issued_at,
        levels=QUANTILE_LEVELS,
        mean=mean,
        peak=tuple(tuple(value * peak_factor for value in row) for row in mean),
    )


def an_observation(
    *pools: PoolObservation, region: str = "east", at: datetime = NOON, **changes: Any
) -> RegionObservation:
    """What an agent reports of its region."""
    return RegionObservation(region=RegionName(region), observed_at=at, pools=pools, **changes)


def a_fleet(
    ready: Mapping[PoolKey, int],
    *,
    at: datetime = NOON,
    signal: Signal = Signal.FRESH,
    utilisation: float | None = 0.5,
) -> Fleet:
    """A settled fleet: that many replicas ready and desired in each pool."""
    return Fleet(
        at=at,
        pools=tuple(
            PoolState(
                observation=PoolObservation(
                    pool=pool, desired=count, ready=count, utilisation=utilisation
                ),
                observed_at=at,
                signal=signal,
            )
            for pool, count in ready.items()
        ),
    )
