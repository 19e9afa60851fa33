"""Routers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from heliostat.ports.deciding import Router
from planning.rivals.threshold_router import ThresholdRouter
from planning.routing import NearestRouter, SeventyPercentRouter, WaterFillingRouter
from simulation.policies.failure import UnknownRouter

NEAREST, SEVENTY, PLAN_FLOWS, BALANCED = "nearest", "70-percent", "plan-flows", "balanced"


def _by_plan() -> Router:
    return WaterFillingRouter(pooled_within=None)


ROUTERS: Mapping[str, Callable[[], Router]] = {
    NEAREST: NearestRouter,
    SEVENTY: ThresholdRouter,
    "70-percent-whole-origins": SeventyPercentRouter,
    PLAN_FLOWS: _by_plan,
    BALANCED: WaterFillingRouter,
}


def router_named(name: str) -> Router:
    """The router of that name. Raises UnknownRouter."""
    maker = ROUTERS.get(name)
    if maker is None:
        raise UnknownRouter(name, remedy=f"routers are {', '.join(ROUTERS)}", field="router")
    return maker()
