"""Where a region alone has a day off, plans follow the regions' forecasts and not the aggregate's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from heliostat.model.names import RegionName
from planning.days_apart import steps_apart
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from planning.situation import look
from planning.wanted import WantedDemand
from tests.builders import NOON, a_catalogue, a_demand
from tests.planning.worlds import a_problem, forecasts_of, with_totals

EAST, WEST = a_demand("east"), a_demand("west")
OFF = {EAST: 40.0, WEST: 100.0}
"""East, on New York's clock, has a day off; the aggregate expects 200 requests/s."""
TODAY = NOON.date()


def off_in_east(day: date) -> PlannerSettings:
    return PlannerSettings(days_apart={RegionName("east"): frozenset([day])})


def wanted(
    settings: PlannerSettings, rates: Any = OFF, *, at: datetime = NOON, spread: float = 0.1
) -> WantedDemand:
    totals = with_totals(rates) | {EAST.everywhere: 200.0}
    forecasts = forecasts_of(totals, issued_at=at, spread=spread)
    return look(a_problem(forecasts=forecasts, at=at), settings, horizon(at, settings)).wanted


def pooled(demand: WantedDemand) -> dict[str, list[float]]:
    return {row.key.origin: row.pooled.tolist() for row in demand.regional}


def test_a_day_off_of_one_region_is_not_made_up_for_by_the_others() -> None:
    moved, kept = wanted(PlannerSettings()), wanted(off_in_east(TODAY))
    assert pooled(moved)["west"][0] > 1.3 * OFF[WEST]
    for row in kept.regional:
        assert row.pooled.tolist() == row.own.tolist()
        assert row.pooled == pytest.approx(OFF[row.key])
    (whole,) = kept.whole.values()
    assert whole == pytest.approx(sum(OFF.values()))


def test_the_plan_says_whose_day_off_it_is() -> None:
    (note,) = wanted(off_in_east(TODAY)).notes
    assert note.startswith("east: a day off")
    assert "alpha/interactive-normal" in note


def test_a_day_off_lowers_the_plan() -> None:
    problem = a_problem(forecasts=forecasts_of(with_totals(OFF) | {EAST.everywhere: 200.0}))
    off, working = (
        sum(target.replicas for target in HeliostatPlanner(settings).plan(problem).targets)
        for settings in (off_in_east(TODAY), PlannerSettings())
    )
    assert off < working


def test_on_other_days_plans_are_the_same_to_the_bit() -> None:
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=1)):
        other, usual = wanted(off_in_east(day)), wanted(PlannerSettings())
        assert pooled(other) == pooled(usual)
        assert other.notes == usual.notes == ()


def test_a_day_off_begins_and_ends_by_the_regions_own_clock() -> None:
    """New York's day ends at five o'clock UTC."""
    at = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)
    steps = steps_apart(
        off_in_east(TODAY).days_apart, a_catalogue(), horizon(at, PlannerSettings())
    )
    assert {name: row.tolist() for name, row in steps.items()} == {"east": [True] * 2 + [False] * 4}
    usual, off = pooled(wanted(PlannerSettings(), at=at)), wanted(off_in_east(TODAY), at=at)
    for row in off.regional:
        assert np.array_equal(row.pooled[:2], row.own[:2])
        assert row.pooled[2:].tolist() == usual[row.key.origin][2:]


def test_a_day_off_where_the_model_has_no_demand_changes_nothing() -> None:
    usual, off = (wanted(s, {WEST: 100.0}) for s in (PlannerSettings(), off_in_east(TODAY)))
    assert pooled(off) == pooled(usual)
    assert off.notes == ()
