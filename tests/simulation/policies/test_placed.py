"""Placing and scaling as one: the plan counts on what placement lets a replica serve."""

from __future__ import annotations

import pytest

from heliostat.catalogue import parse_catalogue
from heliostat.model.names import Tier
from planning.planner import HeliostatPlanner
from scheduling.placement.margins import HOUSE
from simulation.local_policy import Dispatch, LocalPolicy
from simulation.policies.placed import PLACED
from simulation.policies.policy import PolicyOptions
from simulation.scenarios.fleets import globe_fleet, tenants_fleet, us_fleet
from tests.builders import a_catalogue
from tests.planning.worlds import a_problem


def test_requests_are_placed_by_the_margins_that_replicas_are_counted_by() -> None:
    policy = PLACED.make(a_catalogue(), PolicyOptions())
    assert policy.name == "heliostat-placed"
    assert policy.local.dispatch is Dispatch.BEST_FIT
    planner = policy.deciders.planner
    assert isinstance(planner, HeliostatPlanner)
    plan = planner.plan(a_problem(30.0))
    # On the small catalogue margins bind nobody, so that the fleet is the planner's own.
    own = HeliostatPlanner(planner.settings, stopwatch=lambda: 0.0).plan(a_problem(30.0))
    assert [t.replicas for t in plan.targets] == [t.replicas for t in own.targets]


def test_options_say_how_replicas_work() -> None:
    asked = PolicyOptions(local=LocalPolicy(dispatch=Dispatch.RANDOM))
    assert PLACED.make(a_catalogue(), asked).local.dispatch is Dispatch.RANDOM


@pytest.mark.parametrize("headroom", PLACED.sweep)
def test_headrooms_are_those_of_the_house(headroom: float) -> None:
    planner = PLACED.make(a_catalogue(), PolicyOptions(headroom=headroom)).deciders.planner
    assert isinstance(planner, HeliostatPlanner)
    assert planner.settings.near_steps >= 1


def test_both_interactive_tiers_of_a_model_are_placed_by_one_rule() -> None:
    """Packed and spread requests in one pool take each other's room (docs/decisions/0022)."""
    for fleet in (tenants_fleet(), globe_fleet(), us_fleet(least=2)):
        for model in parse_catalogue(fleet).models:
            for law in model.engines.values():
                idle = law.decode_base + law.decode_per_sequence
                spread = {
                    spec.slo.itl_seconds > HOUSE.spread_beyond * idle
                    for spec in model.tiers
                    if spec.tier is not Tier.BATCH
                }
                assert len(spread) == 1, model.name
