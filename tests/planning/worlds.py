"""Planning and routing problems on the small catalogue, said in few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import Fleet, Signal
from heliostat.model.forecast import Forecast
from heliostat.model.governance import Mode, Modes, ModeSetting
from heliostat.model.names import EVERYWHERE, DemandKey, PoolKey, Tier, TokenKind
from heliostat.ports.deciding import DemandRate, PlanningProblem, RoutingProblem
from tests.builders import NOON, a_catalogue, a_fleet, a_forecast

INPUT_TOKENS, OUTPUT_TOKENS = 1000.0, 100.0
"""The mix that the small catalogue assumes for every tier."""


def all_keys(catalogue: FleetCatalogue) -> tuple[DemandKey, ...]:
    """Every demand that the catalogue can have."""
    return tuple(
        DemandKey(origin=region.name, model=model.name, tier=spec.tier)
        for region in catalogue.regions
        for model in catalogue.models
        for spec in model.tiers
    )


def forecasts_of(
    rates: Mapping[DemandKey, float], *, steps: int = 16, spread: float = 0.0, **changes: Any
) -> tuple[Forecast, ...]:
    """Flat forecasts of these requests per second, peaks equal to means unless changed."""
    options = {"steps": steps, "spread": spread, "peak_factor": 1.0} | changes
    return tuple(
        a_forecast(key, kind, rate * tokens, **options)
        for key, rate in rates.items()
        for kind, tokens in ((TokenKind.INPUT, INPUT_TOKENS), (TokenKind.OUTPUT, OUTPUT_TOKENS))
    )


def with_totals(rates: Mapping[DemandKey, float], factor: float = 1.0) -> dict[DemandKey, float]:
    """The same rates and their sums over regions, times a factor."""
    totals: dict[DemandKey, float] = {}
    for key, rate in rates.items():
        whole = DemandKey(origin=EVERYWHERE, model=key.model, tier=key.tier)
        totals[whole] = totals.get(whole, 0.0) + factor * rate
    return dict(rates) | totals


def a_problem(
    rates: Mapping[DemandKey, float] | float = 5.0,
    *,
    ready: Mapping[PoolKey, int] | int = 2,
    catalogue: FleetCatalogue | None = None,
    signal: Signal = Signal.FRESH,
    utilisation: float | None = 0.5,
    **changes: Any,
) -> PlanningProblem:
    """Demand in requests per second against a fleet with that many replicas ready in every pool."""
    world = catalogue or a_catalogue()
    if not isinstance(rates, Mapping):
        rates = {key: rates for key in all_keys(world) if key.tier is Tier.INTERACTIVE_NORMAL}
    if not isinstance(ready, Mapping):
        ready = {pool.key: ready for pool in world.pools}
    values: dict[str, Any] = {
        "catalogue": world,
        "at": NOON,
        "forecasts": forecasts_of(with_totals(rates)),
        "mixes": (),
        "fleet": a_fleet(ready, signal=signal, utilisation=utilisation),
    }
    return PlanningProblem(**(values | changes))


def modes(mode: Mode = Mode.ACTIVE) -> Modes:
    """One mode everywhere."""
    return Modes((ModeSetting(region=EVERYWHERE, mode=mode, author="ops", reason="test", at=NOON),))


def a_routing_problem(
    rates: Mapping[DemandKey, float] | float = 1.0,
    *,
    ready: Mapping[PoolKey, int] | int = 2,
    catalogue: FleetCatalogue | None = None,
    fleet: Fleet | None = None,
    mode: Mode = Mode.ACTIVE,
    measured: bool = True,
    **changes: Any,
) -> RoutingProblem:
    """Demand that arrives now, against a fleet with that many replicas ready in every pool."""
    world = catalogue or a_catalogue()
    if not isinstance(rates, Mapping):
        rates = dict.fromkeys(all_keys(world), rates)
    if not isinstance(ready, Mapping):
        ready = {pool.key: ready for pool in world.pools}
    values: dict[str, Any] = {
        "catalogue": world,
        "at": NOON,
        "fleet": fleet or a_fleet(ready),
        "plan": None,
        "demand": tuple(
            DemandRate(demand=key, requests_per_second=rate, measured=measured)
            for key, rate in rates.items()
        ),
        "mixes": (),
        "modes": modes(mode),
    }
    return RoutingProblem(**(values | changes))
