"""A control plane runs the policy of its settings, and it is the one that simulations evaluate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forecasting.fanout import FanOutForecaster
from heliostat.errors import InvalidSettings
from planning.explain import PerturbingExplainer
from planning.house_policies import HOUSE_POLICIES, house_policy
from planning.planner import HeliostatPlanner
from planning.routing.router import WaterFillingRouter
from planning.settings import PlannerSettings
from services.control_plane.bootstrap import deciders_of, forecaster_settings
from services.control_plane.settings import ControlPlaneSettings, load_settings
from simulation.policies.policy import PolicyOptions
from simulation.policies.registry import policy_named
from tests.builders import a_catalogue


def served(name: str, headroom: float | None) -> tuple[PlannerSettings, Any]:
    """What a control plane of that policy plans with, and how it routes."""
    policy = house_policy(name, headroom)
    made = forecaster_settings(ControlPlaneSettings(), a_catalogue(), policy.levels)
    assert set(policy.levels) <= set(made.levels)
    deciders = deciders_of(policy, FanOutForecaster(made, lanes=1))
    assert isinstance(deciders.planner, HeliostatPlanner)
    assert isinstance(deciders.router, WaterFillingRouter)
    return deciders.planner.settings, deciders.router.pooled_within


@pytest.mark.parametrize("name", HOUSE_POLICIES)
@pytest.mark.parametrize("headroom", [0.0, 0.7, 1.0, 1.8])
def test_what_is_simulated_is_what_serves(name: str, headroom: float) -> None:
    simulated = policy_named(name, a_catalogue(), PolicyOptions(headroom=headroom)).deciders
    assert isinstance(simulated.planner, HeliostatPlanner)
    assert isinstance(simulated.router, WaterFillingRouter)
    assert served(name, headroom) == (
        simulated.planner.settings,
        simulated.router.pooled_within,
    )


def test_without_settings_it_is_the_careful_one() -> None:
    settings = ControlPlaneSettings()
    assert served(settings.policy, settings.headroom) == (PlannerSettings(), None)


def test_without_a_headroom_the_pooled_policy_plans_for_the_median_peak() -> None:
    planned, pooled_within = served("heliostat", None)
    assert planned == served("heliostat", 1.0)[0]
    assert planned.batch_yields
    assert pooled_within is not None


def test_the_alternatives_are_priced_with_the_settings_of_the_plan() -> None:
    policy = house_policy("heliostat", 0.5)
    made = forecaster_settings(ControlPlaneSettings(), a_catalogue(), policy.levels)
    explainer = deciders_of(policy, FanOutForecaster(made, lanes=1)).explainer
    assert isinstance(explainer, PerturbingExplainer)
    assert explainer.settings == policy.settings != replace(policy.settings, level=0.9)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("policy", "reactive"),
        ("policy", "heliostat-live"),
        ("headroom", -0.1),
        ("headroom", float("nan")),
        ("headroom", 11),
    ],
)
def test_other_policies_and_headrooms_are_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidSettings, match=key):
        load_settings(**{key: value})
