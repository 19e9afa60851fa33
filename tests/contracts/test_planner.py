"""What every CapacityPlanner keeps, whoever decides: that of each registered policy, and single rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heliostat.loops.sound import check_plan
from heliostat.model.fleet import Signal
from heliostat.model.governance import Override
from heliostat.model.plan import PlanStatus
from heliostat.ports.deciding import CapacityPlanner
from planning.planner import HeliostatPlanner
from planning.pool_rules import PoolRulePlanner
from planning.rivals.cheapest_first import CheapestFirst
from planning.rivals.chiron import ChironRule
from planning.rivals.freeness import FreenessRule, FreenessSettings
from planning.rivals.hourly import HourlySageServe
from planning.rivals.hpa import HpaRule
from planning.rivals.reactive import ReactiveRule, ReactiveSettings
from planning.rivals.sageserve import SageServePlanner
from simulation.policies.policy import PolicyOptions
from simulation.policies.registry import PLUGINS
from tests.builders import NOON, a_catalogue, a_pool
from tests.planning.worlds import a_problem
from tests.simulation.policies.adding_a_policy import QUEUE_RULE

PLANNERS: dict[str, CapacityPlanner] = {
    "heliostat's planner": HeliostatPlanner(stopwatch=lambda: 0.0),
    "sageserve's planner": SageServePlanner(stopwatch=lambda: 0.0),
    "hourly sageserve": HourlySageServe(stopwatch=lambda: 0.0),
    "reactive alone": PoolRulePlanner(ReactiveRule(settings=ReactiveSettings())),
    "hpa alone": PoolRulePlanner(HpaRule()),
    "freeness alone": PoolRulePlanner(FreenessRule(settings=FreenessSettings())),
    "chiron alone": PoolRulePlanner(ChironRule()),
    "chiron, cheapest first": PoolRulePlanner(CheapestFirst(rule=ChironRule())),
}
SHELF = {
    plugin.name: plugin
    for plugin in (*PLUGINS.values(), QUEUE_RULE)
    if plugin.policy(a_catalogue(), PolicyOptions()).recast is None
}
"""Those that plan the catalogue's own fleet; `tests/simulation/policies` covers siloed pools."""


@pytest.fixture(params=[*PLANNERS, *SHELF], name="planner")
def any_planner(request: pytest.FixtureRequest) -> CapacityPlanner:
    """A registered policy's is made anew: it may remember within a run."""
    if request.param in PLANNERS:
        return PLANNERS[request.param]
    return SHELF[request.param].policy(a_catalogue(), PolicyOptions()).deciders.planner


def an_override(target: int = 7, **changes: Any) -> Override:
    values: dict[str, Any] = {
        "override_id": "o-1",
        "pool": a_pool(),
        "target_replicas": target,
        "author": "ada",
        "reason": "launch",
        "created_at": NOON - timedelta(hours=1),
        "expires_at": NOON + timedelta(hours=6),
    }
    return Override(**(values | changes))


def test_every_pool_has_a_target_and_a_reason(planner: CapacityPlanner) -> None:
    problem = a_problem()
    plan = planner.plan(problem)
    check_plan(plan, problem.catalogue)
    assert all(target.reason.summary and target.reason.binding for target in plan.targets)


def test_the_same_problem_gets_the_same_plan(planner: CapacityPlanner) -> None:
    assert planner.plan(a_problem()) == planner.plan(a_problem())


def test_targets_stay_within_the_pools_limits(planner: CapacityPlanner) -> None:
    problem = a_problem(500.0, ready=3, utilisation=0.95)
    plan = planner.plan(problem)
    for target in plan.targets:
        spec = problem.catalogue.pool(target.pool)
        assert spec.min_replicas <= target.replicas <= spec.max_replicas


def test_targets_stay_within_the_quota(planner: CapacityPlanner) -> None:
    problem = a_problem(500.0, ready=10, utilisation=0.95)
    plan = planner.plan(problem)
    for (region, vm_type), quota in problem.catalogue.quotas.items():
        pools = [t for t in plan.targets if (t.pool.region, t.pool.vm_type) == (region, vm_type)]
        assert sum(target.replicas for target in pools) <= quota


def test_an_override_rules_its_pool(planner: CapacityPlanner) -> None:
    plan = planner.plan(a_problem(overrides=(an_override(7),)))
    target = plan.target(a_pool())
    assert target is not None
    assert target.replicas == 7
    assert target.reason.binding == "override"
    assert "ada" in target.reason.summary


def test_an_expired_override_rules_nothing(planner: CapacityPlanner) -> None:
    expired = an_override(17, expires_at=NOON - timedelta(minutes=1))
    target = planner.plan(a_problem(overrides=(expired,))).target(a_pool())
    assert target is not None
    assert target.reason.binding != "override"


@pytest.mark.parametrize("signal", [Signal.STALE, Signal.MISSING])
def test_a_pool_without_fresh_data_does_not_shrink(
    planner: CapacityPlanner, signal: Signal
) -> None:
    plan = planner.plan(a_problem(0.01, ready=5, signal=signal, utilisation=0.01))
    assert all(target.replicas >= 5 for target in plan.targets)


def test_an_empty_history_never_plans_below_what_stands_or_the_floor(
    planner: CapacityPlanner,
) -> None:
    plan = planner.plan(a_problem(forecasts=(), ready=3, utilisation=None))
    assert all(target.replicas >= 3 for target in plan.targets)


@pytest.mark.parametrize("name", ["heliostat's planner", "sageserve's planner", "hourly sageserve"])
def test_no_forecast_and_no_plan_is_the_floor_and_says_so(name: str) -> None:
    plan = PLANNERS[name].plan(a_problem(forecasts=(), ready=0))
    assert plan.status is PlanStatus.FLOOR
    assert all(target.replicas == 1 for target in plan.targets)
    assert "the catalogue's minimum applies" in plan.notes[0]


@pytest.mark.parametrize("name", ["heliostat's planner", "sageserve's planner"])
def test_no_forecast_keeps_the_last_plan_and_says_so(name: str) -> None:
    previous = PLANNERS[name].plan(a_problem(20.0))
    plan = PLANNERS[name].plan(a_problem(forecasts=(), previous=previous))
    assert plan.status is PlanStatus.KEPT_LAST
    assert [t.replicas for t in plan.targets] == [t.replicas for t in previous.targets]
    assert "the last plan's targets apply" in plan.notes[0]


def test_a_lost_region_gets_nothing(planner: CapacityPlanner) -> None:
    plan = planner.plan(a_problem(5.0, lost_region=a_pool().region))
    assert all(t.replicas == 0 for t in plan.targets if t.pool.region == a_pool().region)
