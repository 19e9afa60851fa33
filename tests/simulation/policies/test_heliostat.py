"""Heliostat's one headroom, and the levers that can be taken out of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from heliostat.model.names import Tier
from planning.grid import horizon
from planning.house_policies import pooled_at
from planning.planner import HeliostatPlanner
from planning.routing.router import WaterFillingRouter
from planning.settings import Aim, PlannerSettings
from planning.situation import look
from simulation.local_policy import LocalPolicy
from simulation.policies.heliostat import HELIOSTAT_CAREFUL
from simulation.policies.policy import PolicyOptions
from simulation.policies.registry import policy_named
from tests.builders import a_catalogue
from tests.planning.worlds import a_problem, all_keys, forecasts_of, with_totals

CATALOGUE = a_catalogue()


def planned(settings: PlannerSettings, tier: Tier) -> float:
    """Requests per second planned for demand whose peak minute is three times its mean of 2."""
    rates = with_totals(dict.fromkeys(all_keys(CATALOGUE), 2.0))
    forecasts = forecasts_of(rates, peak_factor=3.0, spread=0.5)
    problem = a_problem(1.0, catalogue=CATALOGUE, forecasts=forecasts)
    situation = look(problem, settings, horizon(problem.at, settings))
    row = next(row for row in situation.wanted.regional if row.key.tier is tier)
    return float(row.own[0])


def test_headroom_0_is_the_mean_and_1_the_median_of_the_peak_minute() -> None:
    assert planned(pooled_at(0.0), Tier.INTERACTIVE_FAST) == pytest.approx(2.0)
    assert planned(pooled_at(1.0), Tier.INTERACTIVE_FAST) == pytest.approx(6.0)


def test_patient_requests_are_planned_half_as_far_up_to_the_peak() -> None:
    assert planned(pooled_at(1.0), Tier.INTERACTIVE_NORMAL) == pytest.approx(4.0)


def test_the_careful_policy_decides_as_a_control_plane_does_by_default() -> None:
    served = HeliostatPlanner().settings
    assert served == PlannerSettings()
    for headroom in HELIOSTAT_CAREFUL.sweep:
        policy = HELIOSTAT_CAREFUL.policy(a_catalogue(), PolicyOptions(headroom=headroom))
        planner = policy.deciders.planner
        assert isinstance(planner, HeliostatPlanner)
        asked = pooled_at(headroom)
        assert planner.settings == replace(served, level=asked.level, peak_share=asked.peak_share)
        assert isinstance(policy.deciders.router, WaterFillingRouter)
        assert policy.local == LocalPolicy()
    assert pooled_at(HELIOSTAT_CAREFUL.default_headroom).level == pytest.approx(
        served.level, abs=2e-3
    )
    assert pooled_at(HELIOSTAT_CAREFUL.default_headroom).peak_share == served.peak_share


@pytest.mark.parametrize("tier", [Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL])
def test_more_headroom_plans_for_more_without_end(tier: Tier) -> None:
    steps = [0.0, 0.4, 0.8, 1.0, 1.8, 2.4, 4.0, 8.0, 16.0]
    found = [planned(pooled_at(h), tier) for h in steps]
    assert all(less < more for less, more in pairwise(found))
    # From 1.8 to 2 interactive-fast waits for interactive-normal to come up.
    assert planned(pooled_at(1.9), tier) <= planned(pooled_at(2.0), tier)


def test_from_2_on_both_tiers_are_planned_alike_beyond_the_peak() -> None:
    aims = pooled_at(3.0).aims
    assert aims[Tier.INTERACTIVE_FAST] == aims[Tier.INTERACTIVE_NORMAL] == Aim(0.9, 2.0)


def test_work_over_a_step_is_the_mean_however_high_the_peak() -> None:
    settings = pooled_at(2.0)
    problem = a_problem(
        1.0,
        catalogue=CATALOGUE,
        forecasts=forecasts_of(
            with_totals(dict.fromkeys(all_keys(CATALOGUE), 2.0)), peak_factor=3.0
        ),
    )
    situation = look(problem, settings, horizon(problem.at, settings))
    assert all(row.work[0] == pytest.approx(2.0) for row in situation.wanted.regional)


def test_batch_work_of_a_fleet_that_reports_its_backlog_is_not_bought_for_when_it_comes() -> None:
    for name, yields in (("heliostat", True), ("heliostat-batch-now", False)):
        planner = policy_named(name, CATALOGUE).deciders.planner
        assert isinstance(planner, HeliostatPlanner)
        assert planner.settings.batch_yields is yields
        assert (planner.settings.batch_within > timedelta(0)) is yields


def test_regions_are_pooled_unless_the_lever_or_the_option_says_otherwise() -> None:
    def pool(name: str, router: str = "") -> timedelta | None:
        made = policy_named(name, CATALOGUE, PolicyOptions(router=router)).deciders.router
        assert isinstance(made, WaterFillingRouter)
        return made.pooled_within

    assert pool("heliostat") == timedelta(milliseconds=100)
    assert pool("heliostat-unpooled") is None
    assert pool("reactive", router="balanced") == timedelta(milliseconds=100)
