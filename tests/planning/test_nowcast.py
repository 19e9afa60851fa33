"""What came lately bounds a plan's demand from below, and only that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.loops.what_if import suppose
from heliostat.model.names import DemandKey, Tier
from heliostat.model.plan import WhatIf
from heliostat.ports.deciding import DemandRate, PlanningProblem
from planning.bindings import MEASURED
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from planning.situation import look
from planning.wanted import Wanted
from tests.builders import a_demand
from tests.planning.worlds import a_problem

EAST, WEST = a_demand("east"), a_demand("west")
NEAR = PlannerSettings().near_steps
PLANNER = HeliostatPlanner(stopwatch=lambda: 0.0)


def came(rate: float, *, demand: DemandKey = EAST, measured: bool = True) -> DemandRate:
    return DemandRate(demand=demand, requests_per_second=rate, measured=measured)


def east(problem: PlanningProblem, *, measured_counts: bool = True) -> Wanted:
    chosen = PlannerSettings(measured_counts=measured_counts)
    rows = look(problem, chosen, horizon(problem.at, chosen)).wanted.regional
    return next(row for row in rows if row.key == EAST)


def total(problem: PlanningProblem) -> int:
    return sum(target.replicas for target in PLANNER.plan(problem).targets)


@given(forecast=st.floats(0.1, 50), measured=st.floats(0, 100))
@settings(max_examples=40)
def test_the_near_steps_hold_what_is_measured_and_no_step_ever_less_than_forecast(
    forecast: float, measured: float
) -> None:
    problem = a_problem({EAST: forecast, WEST: 1.0})
    before, after = east(problem), east(replace(problem, measured=(came(measured),)))
    for name in ("own", "pooled", "work"):
        old, new = getattr(before, name), getattr(after, name)
        raised = np.maximum(old[:NEAR], measured) if after.measured else old[:NEAR]
        assert (new[:NEAR] == raised).all()
        assert (new[NEAR:] == old[NEAR:]).all()
    assert (after.measured is not None) == (measured > before.pooled[0])


def test_an_unmeasured_rate_is_no_zero_and_no_floor() -> None:
    problem = a_problem({EAST: 5.0, WEST: 5.0})
    blind = replace(problem, measured=(came(0.0, measured=False), came(99.0, measured=False)))
    assert PLANNER.plan(blind) == PLANNER.plan(problem)


def test_who_does_not_want_it_plans_by_forecasts_alone() -> None:
    problem = a_problem({EAST: 5.0}, measured=(came(50.0),))
    assert east(problem, measured_counts=False).measured is None
    assert east(problem).measured == 50.0


def test_a_surge_buys_capacity_and_says_why() -> None:
    calm = a_problem({EAST: 5.0, WEST: 5.0})
    surge = replace(calm, measured=(came(60.0),))
    assert total(surge) > total(calm)
    grown = [t for t in PLANNER.plan(surge).targets if t.replicas > t.current]
    assert grown
    assert {t.reason.binding for t in grown} == {MEASURED}
    assert all(
        f"60.00 requests/s of {EAST} measured, above forecast" in t.reason.summary for t in grown
    )
    assert MEASURED not in {t.reason.binding for t in PLANNER.plan(calm).targets}


def test_what_was_measured_is_not_told_as_forecast() -> None:
    calm = a_problem({EAST: 5.0, WEST: 5.0})
    surge = replace(calm, measured=(came(60.0),))
    said = {t.reason.forecast for t in PLANNER.plan(surge).targets if t.replicas > t.current}
    assert said
    assert all(one.endswith(": no more than the 60.00 requests/s measured") for one in said)
    assert not any("measured" in t.reason.forecast for t in PLANNER.plan(calm).targets)


def test_a_supposed_demand_scales_what_is_measured_too() -> None:
    problem = a_problem({EAST: 5.0}, measured=(came(10.0),))
    (rate,) = suppose(problem, WhatIf(demand_factor=1.5)).measured
    assert rate.requests_per_second == pytest.approx(15.0)


def test_measured_demand_that_nobody_forecasts_is_not_made_up() -> None:
    problem = a_problem({EAST: 5.0}, measured=(came(9.0, demand=a_demand(tier=Tier.BATCH)),))
    assert PLANNER.plan(problem) == PLANNER.plan(replace(problem, measured=()))
