"""Families of methods: the candidates, and the order of fallbacks.

The fast family runs on numpy and scipy alone and suits a control plane, a demo or a simulation. The
full family adds statsmodels' maximum-likelihood fits and belongs into worker processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.methods.arima import HarmonicArima
from forecasting.methods.harmonic import (
    DAILY_HARMONIC_AR,
    DAILY_HARMONIC_LEVEL,
    DAYS_OFF_HARMONIC_AR,
    HARMONIC_AR,
    HARMONIC_LEVEL,
)
from forecasting.methods.method import Method
from forecasting.methods.naive import NAIVE
from forecasting.methods.sarima import HourlySarima
from forecasting.methods.slots import WeekSlotAr
from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Family:
    """`candidates` compete for champion; `defaults` serve without one, first whose `needs` are met.

    Raises InvalidInput when a name is used twice or the last default needs any history.
    """

    candidates: tuple[Method, ...]
    defaults: tuple[Method, ...]

    def __post_init__(self) -> None:
        names = [method.name for method in self.candidates]
        if len(set(names)) != len(names):
            raise InvalidInput("family.candidates", f"names must differ: {names}")
        if not self.defaults or self.defaults[-1].needs:
            raise InvalidInput("family.defaults", "the last one must work on any history")

    def named(self, name: str) -> Method | None:
        """The method of that name, None when the family has none."""
        for method in (*self.candidates, *self.defaults):
            if method.name == name:
                return method
        return None


_DEFAULTS: tuple[Method, ...] = (
    HARMONIC_AR,
    DAYS_OFF_HARMONIC_AR,
    DAILY_HARMONIC_LEVEL,
    NAIVE[0],
)
_FAST: tuple[Method, ...] = (
    *NAIVE,
    DAILY_HARMONIC_AR,
    DAYS_OFF_HARMONIC_AR,
    HARMONIC_AR,
    DAILY_HARMONIC_LEVEL,
    HARMONIC_LEVEL,
    WeekSlotAr(),
)

FAST_FAMILY = Family(candidates=_FAST, defaults=_DEFAULTS)
"""Naive rivals, harmonic regressions with Yule-Walker errors, slot of week."""
FULL_FAMILY = Family(candidates=(*_FAST, HarmonicArima(), HourlySarima()), defaults=_DEFAULTS)
"""The fast family and both ARIMA forms by maximum likelihood."""
FAMILIES = {"fast": FAST_FAMILY, "full": FULL_FAMILY}
"""By the names that settings and commands use."""
