"""Fleets as rules see them: one pool with all its gauges, the others quiet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from heliostat.model.fleet import Fleet, PoolObservation, PoolState, Signal
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import PlanningProblem
from planning.pool_rules import PoolRule, PoolRulePlanner
from tests.builders import NOON, a_catalogue, a_pool
from tests.planning.worlds import a_problem

POOL = a_pool()


def a_look(
    *, at: datetime = NOON, pool: PoolObservation | None = None, **gauges: Any
) -> PlanningProblem:
    """The small catalogue at an instant: ten replicas of the first pool, seen with these gauges."""
    values: dict[str, Any] = {"pool": POOL, "ready": 10, "desired": 10}
    seen = pool or PoolObservation(**(values | gauges))
    states = [PoolState(observation=seen, observed_at=at, signal=Signal.FRESH)]
    return a_problem(at=at, fleet=Fleet(at=at, pools=tuple(states)), catalogue=a_catalogue())


def wanted(rule: PoolRule, problem: PlanningProblem) -> int:
    """What the frame makes of the rule for the first pool."""
    return target_of(PoolRulePlanner(rule).plan(problem))


def target_of(plan: CapacityPlan) -> int:
    target = plan.target(POOL)
    assert target is not None
    return target.replicas


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)
