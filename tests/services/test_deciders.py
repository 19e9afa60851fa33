"""The deciders that a control plane is wired with."""

from __future__ import annotations

from forecasting.forecaster import SeasonalForecaster
from planning.house_policies import house_policy
from planning.planner import HeliostatPlanner
from services.control_plane.bootstrap import deciders_of
from tests.planning.worlds import a_problem


def test_a_control_plane_measures_the_cpu_seconds_of_its_solves() -> None:
    plan = deciders_of(house_policy("heliostat"), SeasonalForecaster()).planner.plan(a_problem(9.0))
    assert plan.solve is not None
    assert plan.solve.cpu_seconds > 0


def test_a_planner_without_a_stopwatch_makes_the_same_report_each_time() -> None:
    first, second = (HeliostatPlanner().plan(a_problem(9.0)) for _ in range(2))
    assert first == second
    assert first.solve is not None
    assert first.solve.cpu_seconds == 0
