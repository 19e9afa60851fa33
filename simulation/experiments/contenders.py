"""Makes the policy that a spec asks for, at a headroom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.governance import Guardrails
from simulation.experiments.spec import PolicySpec
from simulation.local_policy import Order
from simulation.policies.forecasters import ORACLE, forecaster_named
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.registry import plugin_named
from simulation.policies.routers import router_named
from simulation.scenarios.scenario import Scenario

GUARDRAILS = (
    "largest_step_out",
    "largest_step_in",
    "cool_down_seconds",
    "budget_dollars_per_hour",
    "stale_after_seconds",
)


def policy_of(spec: PolicySpec, headroom: float, catalogue: FleetCatalogue) -> Policy:
    """Who decides, new each time. Raises UnknownPolicy, UnknownForecaster, UnknownRouter, InvalidInput."""
    options = PolicyOptions(
        headroom=headroom,
        forecaster=spec.forecaster,
        router=spec.router,
        order=Order(spec.order) if spec.order else None,
        lends=spec.lends,
    )
    return plugin_named(spec.policy).make(catalogue, options)


def check_policy(spec: PolicySpec, scene: Scenario) -> None:
    """Raises UnknownPolicy, UnknownForecaster, UnknownRouter, InvalidInput for what cannot be made."""
    plugin_named(spec.policy)
    if spec.forecaster != ORACLE:
        forecaster_named(spec.forecaster, scene.catalogue)
    if spec.router:
        router_named(spec.router)
    if spec.order and spec.order not in tuple(Order):
        raise InvalidInput(
            "order", f"{spec.order!r} is unknown", remedy=f"orders are {', '.join(Order)}"
        )
    for name, _ in spec.guardrails:
        if name not in GUARDRAILS:
            raise InvalidInput(
                "guardrails", f"{name!r} is unknown", remedy=f"known are {', '.join(GUARDRAILS)}"
            )
    guarded(scene.catalogue, spec)


def guarded(catalogue: FleetCatalogue, spec: PolicySpec) -> FleetCatalogue:
    """The catalogue with the policy's own guardrails. Raises InvalidInput."""
    if not spec.guardrails:
        return catalogue
    told = dict(spec.guardrails)
    base = catalogue.guardrails
    rails = Guardrails(
        largest_step_out=int(told.get("largest_step_out", base.largest_step_out)),
        largest_step_in=int(told.get("largest_step_in", base.largest_step_in)),
        cool_down=_seconds(told, "cool_down_seconds", base.cool_down),
        budget_dollars_per_hour=told.get("budget_dollars_per_hour", base.budget_dollars_per_hour),
        stale_after=_seconds(told, "stale_after_seconds", base.stale_after),
    )
    return replace(catalogue, guardrails=rails)


def _seconds(told: Mapping[str, float], name: str, otherwise: timedelta) -> timedelta:
    return timedelta(seconds=told[name]) if name in told else otherwise
