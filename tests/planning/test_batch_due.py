"""Batch work fills what is left: capacity is held for it only as far as it would otherwise be late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import DemandKey, ModelName, Tier
from heliostat.ports.deciding import PlanningProblem
from planning.batch_due import rate_that_keeps
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from planning.situation import look
from tests.builders import NOON, a_catalogue
from tests.planning.worlds import a_problem, all_keys

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
WORLD = a_catalogue()
ALPHA = ModelName("alpha")
DEFERS = PlannerSettings(batch_within=8 * HOUR)
"""The small catalogue's batch work is due a day after it came."""


def group(hours: float, requests: int) -> BacklogGroup:
    return BacklogGroup(due=NOON + hours * HOUR, requests=requests)


def with_backlog(*groups: BacklogGroup, rate: float = 5.0) -> PlanningProblem:
    """Batch work of that rate arrives everywhere; east has this much of alpha's waiting, west none."""
    rates = {key: rate if key.tier is Tier.BATCH else 1.0 for key in all_keys(WORLD)}
    problem = a_problem(rates, catalogue=WORLD)
    backlog = tuple(
        BatchBacklog(region=region.name, model=ALPHA, groups=groups if number == 0 else ())
        for number, region in enumerate(WORLD.regions)
    )
    return replace(problem, fleet=replace(problem.fleet, batch_backlog=backlog))


def planned_batch(problem: PlanningProblem, settings: PlannerSettings) -> dict[DemandKey, float]:
    situation = look(problem, settings, horizon(problem.at, settings))
    rows = situation.wanted.regional
    return {row.key: float(row.pooled[0]) for row in rows if row.key.tier is Tier.BATCH}


def of_alpha(rates: dict[DemandKey, float]) -> float:
    return sum(rate for key, rate in rates.items() if key.model == ALPHA)


def test_without_backlog_nothing_is_held_for_batch_work_that_may_wait() -> None:
    assert of_alpha(planned_batch(with_backlog(), DEFERS)) == 0


def test_what_waits_is_done_within_the_time_asked_for() -> None:
    # Came 4 hours ago: due in 20, wanted within 8 hours of its arrival, so 4 are left.
    problem = with_backlog(group(20, 7200))
    assert of_alpha(planned_batch(problem, DEFERS)) == pytest.approx(7200 / (4 * 3600))


def test_a_region_that_does_not_measure_its_backlog_keeps_what_is_forecast() -> None:
    problem = with_backlog()
    seen = replace(problem.fleet, batch_backlog=problem.fleet.batch_backlog[:1])
    told = planned_batch(replace(problem, fleet=seen), DEFERS)
    assert told == planned_batch(replace(problem, fleet=replace(seen, batch_backlog=())), DEFERS)
    assert of_alpha(told) > 0


def test_deferring_can_be_switched_off() -> None:
    settings = PlannerSettings(batch_within=timedelta(0))
    assert of_alpha(planned_batch(with_backlog(), settings)) > 0


def test_work_that_is_overdue_is_not_asked_for_in_no_time() -> None:
    assert rate_that_keeps([group(-3, 900)], NOON, QUARTER) == pytest.approx(1.0)


@given(
    st.lists(st.builds(group, st.integers(1, 30), st.integers(0, 10_000)), min_size=1, max_size=8)
)
def test_at_that_rate_every_group_ends_in_time_and_at_less_one_does_not(
    groups: list[BacklogGroup],
) -> None:
    rate = rate_that_keeps(groups, NOON, QUARTER)
    late = []
    for share in (1.0, 0.99):
        ahead, missed = 0, False
        for one in sorted(groups, key=lambda one: one.due):
            ahead += one.requests
            missed |= ahead > share * rate * (one.due - NOON).total_seconds() + 1e-6
        late.append(missed)
    assert late[0] is False
    assert late[1] or rate == 0


def test_a_plan_for_batch_work_that_may_wait_needs_fewer_replicas_in_a_peak() -> None:
    problem = with_backlog(rate=40.0)
    counts = [
        sum(target.replicas for target in HeliostatPlanner(settings).plan(problem).targets)
        for settings in (DEFERS, PlannerSettings(batch_within=timedelta(0)))
    ]
    assert counts[0] < counts[1]
