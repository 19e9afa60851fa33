"""The policies that a control plane runs, by name: planner settings and router at one headroom."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.errors import InvalidInput
from planning.routing.router import WaterFillingRouter
from planning.settings import PlannerSettings

POOLED, CAREFUL = "heliostat", "heliostat-careful"
POOLED_WITHIN = timedelta(milliseconds=100)
"""Round trip between regions that are filled alike (docs/decisions/0013)."""
_HIGHEST_LEVEL = 0.9
_BATCH_WITHIN = timedelta(hours=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class HousePolicy:
    """How the house plans and routes. `pooled_within` = the round trip up to which regions are filled
    alike; None = requests follow the plan's flows, home first."""

    name: str
    settings: PlannerSettings
    pooled_within: timedelta | None = None

    def router(self) -> WaterFillingRouter:
        """A router of its own."""
        return WaterFillingRouter(pooled_within=self.pooled_within)

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that forecasts must be issued at."""
        return self.settings.level, self.settings.patient_level


def pooled_at(headroom: float) -> PlannerSettings:
    """Up to 1 interactive-fast is planned for so much of the way from a step's mean to its peak minute, and
    interactive-normal, which may wait for a minute, for half as much, both at the median. From 1 to 1.8
    the quantile of both grows, 1 - e^(-2(h-1))/2 up to 0.9; interactive-normal comes up to the whole peak at
    2; from there on both are planned for h - 1 times the way. Batch work waits for room
    (docs/decisions/0013, 0022)."""
    level = min(_HIGHEST_LEVEL, 1 - math.exp(-2 * max(0.0, headroom - 1)) / 2)
    return PlannerSettings(
        level=level,
        peak_share=max(min(1.0, headroom), headroom - 1),
        patient_level=level,
        patient_peak_share=max(headroom / 2, headroom - 1),
        batch_yields=True,
        batch_within=_BATCH_WITHIN,
    )


def careful_at(headroom: float) -> PlannerSettings:
    """The planner's defaults, but for what interactive-fast is planned for; interactive-normal stays at the
    median peak at every headroom."""
    pooled = pooled_at(headroom)
    return replace(PlannerSettings(), level=pooled.level, peak_share=pooled.peak_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    at: Callable[[float], PlannerSettings]
    usual: PlannerSettings
    pooled_within: timedelta | None


_KINDS: Mapping[str, _Kind] = {
    CAREFUL: _Kind(at=careful_at, usual=PlannerSettings(), pooled_within=None),
    POOLED: _Kind(at=pooled_at, usual=pooled_at(1.0), pooled_within=POOLED_WITHIN),
}
HOUSE_POLICIES = tuple(_KINDS)


def house_policy(name: str, headroom: float | None = None) -> HousePolicy:
    """The policy of that name; its usual settings without a headroom.

    Raises InvalidInput for other names and for a headroom that is negative or not finite.
    """
    kind = _KINDS.get(name)
    if kind is None:
        raise InvalidInput("policy", f"{name!r} is none of {', '.join(HOUSE_POLICIES)}")
    if headroom is not None and not 0 <= headroom < math.inf:
        raise InvalidInput("headroom", f"{headroom} is negative or not finite")
    settings = kind.usual if headroom is None else kind.at(headroom)
    return HousePolicy(name=name, settings=settings, pooled_within=kind.pooled_within)
