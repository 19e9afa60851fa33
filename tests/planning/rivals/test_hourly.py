"""SageServe's rhythm: decided on the hour, standing in between, batch work as a buffer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from heliostat.model.governance import Override
from heliostat.model.names import EVERYWHERE, Tier
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget
from heliostat.ports.deciding import PlanningProblem
from planning.rivals.hourly import HourlySageServe, HourlySettings
from planning.rivals.sageserve import SageServeSettings
from planning.strategies import planned_busy
from tests.builders import NOON, a_catalogue, a_demand, a_pool
from tests.planning.worlds import a_problem, all_keys, forecasts_of, with_totals

PLANNER = HourlySageServe(
    HourlySettings(programme=SageServeSettings(own_share=1.0), headroom=0.0),
    stopwatch=lambda: 0.0,
)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def a_look(rate: float, minute: int = 0, previous: CapacityPlan | None = None) -> PlanningProblem:
    return replace(a_problem(rate), at=at(minute), previous=previous)


def counts(plan: CapacityPlan) -> list[int]:
    return [target.replicas for target in plan.targets]


def test_a_decision_stands_until_the_next_hour_whatever_is_forecast_meanwhile() -> None:
    first = PLANNER.plan(a_look(2.0))
    later = PLANNER.plan(a_look(30.0, 59, first))
    next_hour = PLANNER.plan(a_look(30.0, 60, later))
    assert counts(later) == counts(first)
    assert sum(counts(next_hour)) > sum(counts(first))


def test_what_a_strategy_made_of_it_is_forgotten_and_what_was_decided_stands() -> None:
    first = PLANNER.plan(a_look(8.0))
    gated = replace(first, targets=tuple(replace(target, replicas=1) for target in first.targets))
    again = PLANNER.plan(a_look(8.0, 5, gated))
    assert counts(again) == counts(first)
    assert all("decided at 12:00" in target.reason.summary for target in again.targets)
    assert again.created_at == at(5)


def test_it_may_be_asked_a_thousand_times_without_reasons_growing() -> None:
    plan = PLANNER.plan(a_look(8.0))
    lengths = []
    for minute in (1, 2, 3):
        plan = PLANNER.plan(a_look(8.0, minute, plan))
        lengths.append([len(target.reason.summary) for target in plan.targets])
    assert lengths[0] == lengths[1] == lengths[2]


def test_a_plan_that_could_not_be_made_is_tried_again_at_once() -> None:
    floor = PLANNER.plan(replace(a_look(2.0), forecasts=()))
    assert floor.status is PlanStatus.FLOOR
    assert PLANNER.plan(a_look(8.0, 1, floor)).status is PlanStatus.SOLVED


def test_an_override_is_planned_for_at_once() -> None:
    first = PLANNER.plan(a_look(2.0))
    override = Override(
        override_id="o",
        pool=a_pool(),
        target_replicas=7,
        author="ada",
        reason="launch",
        created_at=NOON,
        expires_at=at(600),
    )
    target = PLANNER.plan(replace(a_look(2.0, 5, first), overrides=(override,))).target(a_pool())
    assert target is not None
    assert target.replicas == 7


def test_batch_work_counts_as_a_tenth() -> None:
    rates = {key: 30.0 for key in all_keys(a_catalogue()) if key.tier is Tier.BATCH}
    tenth = dict.fromkeys(rates, 3.0)
    whole = replace(PLANNER._settings, batch_buffer=1.0)
    as_a_tenth = PLANNER.plan(a_problem(rates, ready=0))
    counted_whole = HourlySageServe(whole, stopwatch=lambda: 0.0)
    assert counts(as_a_tenth) == counts(counted_whole.plan(a_problem(tenth, ready=0)))
    assert sum(counts(as_a_tenth)) < sum(counts(counted_whole.plan(a_problem(rates, ready=0))))


def test_headroom_is_a_factor_on_the_forecast() -> None:
    half_more = HourlySageServe(replace(PLANNER._settings, headroom=0.5), stopwatch=lambda: 0.0)
    assert counts(half_more.plan(a_problem(4.0))) == counts(PLANNER.plan(a_problem(6.0)))


def test_the_plan_says_what_was_expected_at_home_pool_by_pool() -> None:
    key = a_demand(tier=Tier.INTERACTIVE_NORMAL)
    problem = a_problem({key: 6.0})
    plan = PLANNER.plan(problem)
    mine = [flow for flow in plan.flows if flow.demand == key]
    assert sum(flow.requests_per_second for flow in mine) == pytest.approx(6.0)
    assert {flow.serving for flow in mine} == {key.origin}
    assert all(flow.demand.origin != EVERYWHERE for flow in plan.flows)
    busy = planned_busy(plan, problem.catalogue)

    def replicas(target: PoolTarget) -> bool:
        return target.replicas > 0 and target.pool.region == key.origin

    assert set(busy) <= {t.pool for t in plan.targets if replicas(t)}


def test_a_forecast_that_has_run_out_is_expected_to_bring_nothing() -> None:
    short = forecasts_of(with_totals({a_demand(): 6.0}), steps=4)
    late = replace(a_look(6.0, 120), forecasts=short)
    assert PLANNER.plan(late).flows == ()
