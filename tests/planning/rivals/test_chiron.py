"""Chiron's global autoscaler: interactive backpressure at Θ, batch backpressure against deadlines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.governance import Override
from heliostat.model.names import ModelName
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import PlanningProblem
from planning.pool_rules import PoolRulePlanner
from planning.rivals.chiron import ChironRule, ChironSettings
from tests.builders import NOON
from tests.planning.rivals.seen import POOL, a_look, target_of, wanted

RULE = ChironRule(settings=ChironSettings(otherwise=0.5))


def waiting(problem: PlanningProblem, *groups: tuple[float, int]) -> PlanningProblem:
    """So many batch requests, due in so many minutes; no group = an empty queue."""
    backlog = BatchBacklog(
        region=POOL.region,
        model=POOL.model,
        groups=tuple(
            BacklogGroup(due=NOON + timedelta(minutes=minutes), requests=requests)
            for minutes, requests in groups
        ),
    )
    return replace(problem, fleet=replace(problem.fleet, batch_backlog=(backlog,)))


def within(quota: int, problem: PlanningProblem) -> PlanningProblem:
    """The pool's region has that many VMs of its type."""
    region_and_type = (POOL.region, POOL.vm_type)
    quotas = {**problem.catalogue.quotas, region_and_type: quota}
    return replace(problem, catalogue=replace(problem.catalogue, quotas=quotas))


def planned(problem: PlanningProblem, previous: CapacityPlan | None = None) -> CapacityPlan:
    return PoolRulePlanner(RULE).plan(replace(problem, previous=previous))


@pytest.mark.parametrize(("busy", "count"), [(0, 1), (1, 2), (5, 10), (6, 12), (12, 24)])
def test_busy_replicas_over_theta_are_wanted_and_at_least_one(busy: int, count: int) -> None:
    look = a_look(interactive_busy_replicas=busy, ready=max(1, count), desired=max(1, count))
    assert wanted(RULE, look) == count


def test_a_little_less_backpressure_moves_nothing() -> None:
    first = planned(a_look(interactive_busy_replicas=5))
    assert target_of(first) == 10
    assert target_of(planned(a_look(interactive_busy_replicas=4), first)) == 10
    assert target_of(planned(a_look(interactive_busy_replicas=3), first)) == 6


def test_each_model_has_its_own_theta() -> None:
    settings = ChironSettings(otherwise=0.5, theta={ModelName("alpha"): 0.25})
    assert wanted(ChironRule(settings=settings), a_look(interactive_busy_replicas=5)) == 20


def test_batch_requests_that_will_be_in_time_add_nobody() -> None:
    look = waiting(a_look(interactive_busy_replicas=5), (600, 1000))
    assert wanted(RULE, look) == 10


def test_batch_requests_that_would_be_late_add_replicas() -> None:
    look = waiting(a_look(interactive_busy_replicas=5), (60, 100_000))
    plan = planned(look)
    assert target_of(plan) > 10
    target = plan.target(POOL)
    assert target is not None
    assert target.path[-1] == 10
    assert "groups late" in target.reason.summary


def test_batch_replicas_stay_while_batch_requests_wait_and_leave_with_the_last() -> None:
    grown = planned(waiting(a_look(interactive_busy_replicas=5), (60, 100_000)))
    count = target_of(grown)
    assert count > 10
    look = a_look(interactive_busy_replicas=5, ready=count, desired=count)
    still = planned(waiting(look, (600, 10)), grown)
    assert target_of(still) == count
    assert target_of(planned(waiting(look), still)) == 10


def test_a_quota_that_binds_does_not_turn_batch_replicas_into_interactive_ones() -> None:
    late = waiting(a_look(interactive_busy_replicas=5), (60, 100_000))
    assert target_of(planned(late)) > 12
    bound = planned(within(12, late))
    assert target_of(bound) == 12
    look = a_look(interactive_busy_replicas=5, ready=12, desired=12)
    assert target_of(planned(within(12, waiting(look)), bound)) == 10


def test_a_quota_below_the_interactive_replicas_bounds_what_is_remembered_too() -> None:
    bound = planned(within(11, a_look(interactive_busy_replicas=8))).target(POOL)
    assert bound is not None
    assert (bound.replicas, bound.path) == (11, (11, 11))


def test_a_queue_whose_deadlines_nobody_measured_scales_nothing() -> None:
    look = a_look(interactive_busy_replicas=5, waiting_requests=10**6)
    assert wanted(RULE, look) == 10


def test_without_a_count_of_busy_replicas_utilisation_stands_for_it() -> None:
    assert wanted(RULE, a_look(utilisation=0.55)) == 12
    assert wanted(RULE, a_look()) == 10


def test_an_override_that_a_quota_cuts_keeps_its_author() -> None:
    override = Override(
        override_id="o1",
        pool=POOL,
        target_replicas=14,
        author="ada",
        reason="launch",
        created_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )
    look = replace(a_look(interactive_busy_replicas=5), overrides=(override,))
    target = planned(within(12, look)).target(POOL)
    assert target is not None
    assert (target.replicas, target.reason.author) == (12, "ada")
