"""Forecasters by name: per-series selection, every single method, the naive ones, the oracle."""

from __future__ import annotations

from dataclasses import replace

from forecasting.families import FAST_FAMILY, FULL_FAMILY, Family
from forecasting.forecaster import SeasonalForecaster
from forecasting.settings import ForecasterSettings
from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.forecast import QUANTILE_LEVELS
from heliostat.ports.forecasts import Forecaster
from simulation.policies.failure import UnknownForecaster

HOUSE, ORACLE = "house", "oracle"
ALIASES = {
    "naive": "last-value",
    "seasonal-day": "same-time-yesterday",
    "seasonal-week": "same-time-last-week",
    "sarima": "hourly-sarima",
}


def forecaster_names() -> tuple[str, ...]:
    """Every name that `forecaster_named` knows."""
    methods = (method.name for method in FULL_FAMILY.candidates)
    return (HOUSE, *ALIASES, *methods, ORACLE)


def forecaster_named(
    name: str,
    catalogue: FleetCatalogue,
    *,
    levels: tuple[float, ...] = (),
    oracle: Forecaster | None = None,
) -> Forecaster:
    """The forecaster of that name, on the clocks of the catalogue's regions; "" = the house's.

    A single method serves every series that has history enough for it, the house's order of
    degradation the rest. `levels` are issued beside the usual ones. Raises UnknownForecaster, and
    InvalidInput when the oracle is asked for and nobody says what it knows.
    """
    if name == ORACLE:
        if oracle is None:
            raise InvalidInput("forecaster", "the oracle needs the future demand")
        return oracle
    zones = {region.name: region.time_zone for region in catalogue.regions}
    settings = ForecasterSettings(
        zones=zones, levels=tuple(sorted({*QUANTILE_LEVELS, *levels})), family=_family(name)
    )
    return SeasonalForecaster(settings)


def _family(name: str) -> Family:
    if name in ("", HOUSE):
        return FAST_FAMILY
    method = FULL_FAMILY.named(ALIASES.get(name, name))
    if method is None:
        known = ", ".join(forecaster_names())
        raise UnknownForecaster(name, remedy=f"forecasters are {known}", field="forecaster")
    lesser = tuple(other for other in FULL_FAMILY.defaults if other.needs < method.needs)
    return replace(FULL_FAMILY, defaults=(method, *lesser))
