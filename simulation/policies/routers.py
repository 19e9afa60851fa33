"""Routers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heliostat.ports.deciding import Router
from planning.house_policies import POOLED_WITHIN
from planning.rivals.baseline_routers import NearestRouter, SeventyPercentRouter
from planning.rivals.threshold_router import ThresholdRouter
from planning.routing.router import WaterFillingRouter
from simulation.policies.failure import UnknownRouter

NEAREST, SEVENTY, PLAN_FLOWS, BALANCED = "nearest", "70-percent", "plan-flows", "balanced"


def _balanced() -> Router:
    return WaterFillingRouter(pooled_within=POOLED_WITHIN)


ROUTERS: Mapping[str, Callable[[], Router]] = {
    NEAREST: NearestRouter,
    SEVENTY: ThresholdRouter,
    "70-percent-whole-origins": SeventyPercentRouter,
    PLAN_FLOWS: WaterFillingRouter,
    BALANCED: _balanced,
}


def router_named(name: str) -> Router:
    """The router of that name. Raises UnknownRouter."""
    maker = ROUTERS.get(name)
    if maker is None:
        raise UnknownRouter(name, remedy=f"routers are {', '.join(ROUTERS)}", field="router")
    return maker()
