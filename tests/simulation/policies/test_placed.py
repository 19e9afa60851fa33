"""Placing and scaling as one: the plan counts on what placement lets a replica serve."""

from __future__ import annotations

import pytest

from planning.planner import HeliostatPlanner
from simulation.local_policy import Dispatch, LocalPolicy
from simulation.policies.placed import PLACED
from simulation.policies.policy import PolicyOptions
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
