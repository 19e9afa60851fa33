"""Makes the policy that a spec asks for, at a headroom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.governance import Guardrails
from planning.reactive import ReactiveSettings
from planning.settings import PlannerSettings
from simulation.bootstrap import Policy, heliostat_policy, reactive_policy
from simulation.experiments.spec import PolicySpec

GUARDRAILS = (
    "largest_step_out",
    "largest_step_in",
    "cool_down_seconds",
    "budget_dollars_per_hour",
    "stale_after_seconds",
)
_BAND = 0.2
"""From the utilisation above which the reactive policy grows to the one below which it shrinks."""


def policy_of(spec: PolicySpec, headroom: float, catalogue: FleetCatalogue) -> Policy:
    """Who decides. Raises InvalidInput on an unknown policy, forecaster or router."""
    check_policy(spec)
    return _MAKERS[spec.policy](catalogue, headroom)


def known_policies() -> tuple[str, ...]:
    """What may be asked for."""
    return tuple(sorted(_MAKERS))


def check_policy(spec: PolicySpec) -> None:
    """Raises InvalidInput when there is no such policy, forecaster, router or guardrail."""
    if spec.policy not in _MAKERS:
        raise InvalidInput(
            "policy",
            f"{spec.policy!r} is unknown",
            remedy=f"policies are {', '.join(known_policies())}",
        )
    for kind in ("forecaster", "router"):
        if getattr(spec, kind):
            raise InvalidInput(kind, f"{getattr(spec, kind)!r} cannot be chosen for {spec.policy}")
    for name, _ in spec.guardrails:
        if name not in GUARDRAILS:
            raise InvalidInput(
                "guardrails", f"{name!r} is unknown", remedy=f"known are {', '.join(GUARDRAILS)}"
            )


def guarded(catalogue: FleetCatalogue, spec: PolicySpec) -> FleetCatalogue:
    """The catalogue with the policy's own guardrails."""
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


def _heliostat(catalogue: FleetCatalogue, headroom: float) -> Policy:
    level = min(0.99, 0.5 + headroom)
    return heliostat_policy(catalogue, PlannerSettings(level=level))


def _reactive(catalogue: FleetCatalogue, headroom: float) -> Policy:
    out_above = 1 / (1 + headroom)
    return reactive_policy(
        catalogue, ReactiveSettings(out_above=out_above, in_below=max(0.0, out_above - _BAND))
    )


_MAKERS: Mapping[str, Callable[[FleetCatalogue, float], Policy]] = {
    "heliostat": _heliostat,
    "reactive": _reactive,
}
