"""An override rules its pool until it ends; then the pool goes back to what it had before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.fleet import Signal
from heliostat.model.governance import Override
from heliostat.model.names import Tier
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget
from heliostat.ports.deciding import PlanningProblem
from planning.guard import CatalogueGuard
from planning.highs import SolveLimits
from planning.planner import HeliostatPlanner
from planning.rivals.sageserve import SageServePlanner
from planning.settings import PlannerSettings
from planning.solve import SolveSettings
from planning.strategies import UtilisationGated
from tests.builders import NOON, a_catalogue, a_demand, a_fleet, a_pool
from tests.planning.worlds import a_problem, all_keys, forecasts_of, with_totals

POOL = a_pool()
QUARTER = timedelta(minutes=15)
PLANNER = HeliostatPlanner(stopwatch=lambda: 0.0)
STUCK = HeliostatPlanner(
    PlannerSettings(solve=SolveSettings(limits=SolveLimits(iterations=0, nodes=0))),
    stopwatch=lambda: 0.0,
)


def an_override(target: int, author: str = "ada", *, since: datetime = NOON) -> Override:
    return Override(
        override_id=f"by-{author}",
        pool=POOL,
        target_replicas=target,
        author=author,
        reason="launch",
        created_at=since,
        expires_at=NOON + timedelta(hours=1),
    )


def blind(previous: CapacityPlan | None = None, ready: int = 2, **changes: Any) -> PlanningProblem:
    """Nothing was ever forecast; POOL stands at `ready`, all others at two."""
    counts = {pool.key: 2 for pool in a_catalogue().pools} | {POOL: ready}
    return a_problem(forecasts=(), ready=counts, previous=previous, **changes)


def of(plan: CapacityPlan) -> PoolTarget:
    target = plan.target(POOL)
    assert target is not None
    return target


def ruled(target: int = 9, ready: int = 2, before: CapacityPlan | None = None) -> CapacityPlan:
    """The plan while ada's override rules."""
    before = before or PLANNER.plan(blind(ready=ready))
    return PLANNER.plan(blind(before, ready, overrides=(an_override(target),)))


# --- while it rules -----------------------------------------------------------------------------


def test_a_ruled_target_remembers_what_the_last_plan_wanted() -> None:
    before = PLANNER.plan(a_problem(20.0))
    assert of(before).without_override is None
    problem = a_problem(20.0, previous=before, overrides=(an_override(25),))
    for planner in (PLANNER, STUCK, SageServePlanner()):
        target = of(planner.plan(problem))
        assert (target.replicas, target.reason.author) == (25, "ada")
        assert target.without_override == of(before).replicas


def test_without_any_plan_it_remembers_what_stands_and_at_least_the_floor() -> None:
    for ready, remembered in ((0, 1), (4, 4)):
        first = PLANNER.plan(blind(ready=ready, overrides=(an_override(9),)))
        assert of(first).without_override == remembered


def test_an_override_of_an_override_remembers_what_was_before_both() -> None:
    second = an_override(12, "bob", since=NOON + QUARTER)
    plan = PLANNER.plan(
        blind(ruled(9), 9, overrides=(an_override(9), second), at=NOON + 2 * QUARTER)
    )
    assert (of(plan).replicas, of(plan).without_override) == (12, 2)
    back = of(PLANNER.plan(blind(plan, 12)))
    assert (back.replicas, back.reason.author) == (2, "bob")


# --- when it has ended --------------------------------------------------------------------------


@given(before=st.integers(1, 15), target=st.integers(1, 30))
def test_without_a_forecast_a_pool_goes_back_to_what_it_had(before: int, target: int) -> None:
    plan = PLANNER.plan(blind(ruled(target, ready=before), ready=target))
    assert of(plan).replicas == before
    if before != target:
        assert of(plan).reason.binding == "override ended"
        assert f"the override by ada ended; back to the {before}" in of(plan).reason.summary
    after = of(PLANNER.plan(blind(plan, before)))
    assert (after.replicas, after.without_override) == (before, None)
    assert after.reason.author == ""


def test_it_goes_back_from_a_kept_plan_and_where_the_solver_fails() -> None:
    before = PLANNER.plan(a_problem(20.0))
    during = ruled(25, before=before)
    assert during.status is PlanStatus.KEPT_LAST
    for planner, problem in (
        (PLANNER, blind(during, 25)),
        (STUCK, a_problem(20.0, ready={POOL: 25}, previous=during)),
    ):
        plan = planner.plan(problem)
        assert plan.status is PlanStatus.KEPT_LAST
        assert of(plan).replicas == of(before).replicas
        others = [t.replicas for t in plan.targets if t.pool != POOL]
        assert others == [t.replicas for t in before.targets if t.pool != POOL]


@pytest.mark.parametrize("planner", [PLANNER, SageServePlanner()], ids=["heliostat", "sageserve"])
def test_it_goes_back_where_only_its_own_model_has_no_forecast(
    planner: HeliostatPlanner | SageServePlanner,
) -> None:
    rates = with_totals({key: 2.0 for key in all_keys(a_catalogue()) if key.model == "beta"})
    plan = planner.plan(replace(blind(ruled(9), 9), forecasts=forecasts_of(rates)))
    assert plan.status is PlanStatus.SOLVED
    assert (of(plan).replicas, of(plan).reason.binding) == (2, "override ended")
    held = plan.target(a_pool(region="west"))
    assert held is not None
    assert (held.replicas, held.reason.binding) == (2, "data")


def test_what_is_known_of_a_models_demand_is_served_though_it_goes_back() -> None:
    known = {a_demand(): 40.0}
    ran_out = forecasts_of({a_demand(tier=Tier.BATCH): 1.0}, issued_at=NOON - timedelta(days=9))
    problem = replace(blind(ruled(20), 20), forecasts=(*ran_out, *forecasts_of(known)))
    plan = PLANNER.plan(problem)
    assert plan.status is PlanStatus.SOLVED
    assert 2 < of(plan).replicas < 20
    assert not plan.shortages


def test_a_forecast_decides_as_soon_as_there_is_one() -> None:
    plan = PLANNER.plan(a_problem(20.0, ready={POOL: 9}, previous=ruled(9)))
    assert plan.status is PlanStatus.SOLVED
    assert of(plan).without_override is None
    assert of(plan).reason.binding != "override ended"


def test_what_a_guardrail_delays_is_not_forgotten() -> None:
    world = a_catalogue()
    careful = replace(world, guardrails=replace(world.guardrails, largest_step_in=2))
    plan, ready, at = ruled(9), 9, NOON
    counts = []
    for _ in range(5):
        at += QUARTER
        problem = blind(plan, ready, at=at)
        wanted = PLANNER.plan(problem)
        clipped = CatalogueGuard().clip(
            wanted.targets,
            catalogue=careful,
            fleet=problem.fleet,
            overrides=(),
            last_changes=(),
            now=at,
        )
        plan = replace(wanted, targets=clipped)
        ready = of(plan).replicas
        counts.append(ready)
    assert counts == [7, 5, 3, 2, 2]


def test_a_pool_that_nobody_reports_anew_waits_with_going_back() -> None:
    stale = a_fleet({POOL: 9}, signal=Signal.STALE)
    rates = {key: 2.0 for key in all_keys(a_catalogue()) if key.model == "beta"}
    for forecasts in ((), forecasts_of(with_totals(rates))):
        problem = replace(blind(ruled(9)), fleet=stale, forecasts=forecasts)
        wanted = PLANNER.plan(problem)
        clipped = CatalogueGuard().clip(
            wanted.targets,
            catalogue=problem.catalogue,
            fleet=stale,
            overrides=(),
            last_changes=(),
            now=NOON,
        )
        waiting = replace(wanted, targets=clipped)
        assert (of(waiting).replicas, of(waiting).without_override) == (9, 2)
        assert of(PLANNER.plan(blind(waiting, 9))).replicas == 2


def test_a_gated_strategy_lets_a_pool_go_back_at_once() -> None:
    problem = blind(ruled(9), 9, utilisation=None)
    (target,) = (
        t
        for t in UtilisationGated().apply(PLANNER.plan(problem), problem.fleet, NOON)
        if t.pool == POOL
    )
    assert target.replicas == 2


# --- the floor ----------------------------------------------------------------------------------


def test_the_floor_stays_the_floor_as_long_as_nothing_else_was_decided() -> None:
    plan = PLANNER.plan(blind())
    for _ in range(3):
        plan = PLANNER.plan(blind(plan))
        assert plan.status is PlanStatus.FLOOR
        assert plan.notes[0].endswith("the catalogue's minimum applies")
        assert {target.reason.binding for target in plan.targets} == {"minimum"}
    solved = PLANNER.plan(a_problem(20.0, previous=plan))
    assert solved.status is PlanStatus.SOLVED
    assert PLANNER.plan(blind(solved)).status is PlanStatus.KEPT_LAST


def test_the_floor_never_follows_a_failure_down_and_keeps_what_people_added() -> None:
    plan = PLANNER.plan(blind(ready=5))
    failed = PLANNER.plan(blind(plan, ready=4))
    assert of(failed).replicas == 5
    assert of(PLANNER.plan(blind(failed, ready=7))).replicas == 7


def test_a_floor_that_the_solver_fails_on_is_the_last_plan_kept() -> None:
    plan = STUCK.plan(a_problem(20.0, previous=PLANNER.plan(blind())))
    assert plan.status is PlanStatus.KEPT_LAST


def test_the_floor_does_not_say_of_a_pool_that_nobody_reported_that_it_stands() -> None:
    unseen = blind(PLANNER.plan(blind()), signal=Signal.MISSING)
    assert "existing replicas were not reported" in of(PLANNER.plan(unseen)).reason.summary
    assert "the last plan's target is kept" in of(PLANNER.plan(unseen)).reason.summary
    assert "not reported" not in of(PLANNER.plan(blind())).reason.summary


def test_the_first_floor_does_not_speak_of_a_last_plan() -> None:
    fleet = replace(blind().fleet, pools=())
    first = of(PLANNER.plan(replace(blind(), fleet=fleet)))
    assert "existing replicas were not reported, so the minimum of 1" in first.reason.summary
    assert "last" not in first.reason.summary
    assert (first.replicas, first.reason.binding) == (1, "minimum")
