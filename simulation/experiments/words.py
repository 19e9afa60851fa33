"""What the words of a policy file may be: every name that a policy, a forecaster, a replica's habit has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from simulation.local_policy import Dispatch, Order, Prefill
from simulation.policies.forecasters import forecaster_names
from simulation.policies.registry import PLUGINS
from simulation.policies.routers import ROUTERS

HABITS: Mapping[str, Collection[str]] = {
    "order": tuple(Order),
    "dispatch": tuple(Dispatch),
    "prefill": tuple(Prefill),
}
"""How replicas of a region and a single one work."""

WORDS: Mapping[str, Collection[str]] = {
    "policy": PLUGINS,
    "forecaster": forecaster_names(),
    "router": ROUTERS,
    **HABITS,
}
"""By key of a policy file; "" stands for the policy's own."""

GUARDRAILS = (
    "largest_step_out",
    "largest_step_in",
    "cool_down_seconds",
    "budget_dollars_per_hour",
    "stale_after_seconds",
)
