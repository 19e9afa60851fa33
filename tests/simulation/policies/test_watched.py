"""A policy that raises or answers nonsense breaks the run off, by name and instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heliostat.loops.control import Deciders
from heliostat.model.fleet import Fleet
from heliostat.model.plan import CapacityPlan, Flow, PoolTarget
from heliostat.model.routing import RoutingTable
from heliostat.ports.deciding import PlanningProblem, RoutingProblem
from planning.pool_rules import PoolRulePlanner
from planning.rivals.reactive import ReactiveRule, ReactiveSettings
from simulation.policies.failure import PolicyFailed
from simulation.policies.watched import watched
from tests.builders import NOON, QUARTER, a_demand, a_forecast, a_pool
from tests.planning.worlds import a_problem, a_routing_problem
from tests.simulation.fakes import HomeRouter, LastValueForecaster, plain_deciders

HOUR = timedelta(hours=1)
PlanChange = Callable[[CapacityPlan], CapacityPlan]
PLANNER = PoolRulePlanner(ReactiveRule(settings=ReactiveSettings()))


class Bent:
    """Does what the plain deciders do, and bends the answer."""

    def __init__(self, bend: Callable[[Any], Any]) -> None:
        self._bend = bend

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        bent: CapacityPlan = self._bend(PLANNER.plan(problem))
        return bent

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        return tuple(self._bend(plan.targets))

    def route(self, problem: RoutingProblem) -> tuple[RoutingTable, ...]:
        return tuple(self._bend(HomeRouter().route(problem)))

    def forecast(self, *args: Any, **options: Any) -> Any:
        return self._bend(LastValueForecaster().forecast(*args, **options))

    def select(self, *args: Any, **options: Any) -> Any:
        return self._bend(())


def fail(_: object) -> Any:
    raise RuntimeError("no idea")


def with_first(**changes: Any) -> PlanChange:
    """The first target changed behind the back of its own checks."""

    def bend(plan: CapacityPlan) -> CapacityPlan:
        first = replace(plan.targets[0])
        for name, value in changes.items():
            object.__setattr__(first, name, value)
        return replace(plan, targets=(first, *plan.targets[1:]))

    return bend


def a_flow(rate: float) -> Flow:
    pool = a_pool()
    return Flow(
        demand=a_demand(),
        serving=pool.region,
        vm_type=pool.vm_type,
        requests_per_second=rate,
    )


def deciders(**bent: Any) -> Deciders:
    return watched("mine", plain_deciders(**bent))


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (fail, "planner failed: RuntimeError: no idea"),
        (lambda _: None, "planner failed: AttributeError"),
        (with_first(replicas=-3), "would get -3 replicas"),
        (with_first(replicas=float("nan")), "would get nan replicas"),
        (with_first(replicas=2.5), "would get 2.5 replicas"),
        (with_first(reason="because"), "would change for 'because', which is not a Reason"),
        (with_first(path=(1, True)), "would get True replicas"),
        (lambda plan: replace(plan, targets=plan.targets[1:]), "omits pools"),
        (lambda plan: replace(plan, targets=plan.targets[:1] * 2), "a pool appears twice"),
        (lambda plan: replace(plan, flows=(a_flow(float("nan")),)), "flow of nan"),
    ],
)
def test_a_planner_that_fails_or_talks_nonsense_is_named(bend: PlanChange, said: str) -> None:
    with pytest.raises(PolicyFailed) as caught:
        deciders(planner=Bent(bend)).planner.plan(a_problem())
    assert "policy mine at 2026-03-02T12:00:00Z" in str(caught.value)
    assert said in str(caught.value)
    assert (caught.value.policy, caught.value.at) == ("mine", NOON)


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (fail, "strategy failed: RuntimeError"),
        (lambda targets: targets[1:], "not those of the plan"),
        (lambda targets: targets[::-1], "not those of the plan"),
    ],
)
def test_a_strategy_that_fails_or_talks_nonsense_is_named(
    bend: Callable[[Any], Any], said: str
) -> None:
    problem = a_problem()
    plan = PLANNER.plan(problem)
    with pytest.raises(PolicyFailed, match=said) as caught:
        deciders(strategy=Bent(bend)).strategy.apply(plan, problem.fleet, NOON + HOUR)
    assert caught.value.at == NOON + HOUR


def with_weights(*ppm: int) -> Callable[[Any], Any]:
    def bend(tables: tuple[RoutingTable, ...]) -> tuple[RoutingTable, ...]:
        entry = tables[0].entries[0]
        shares = tuple(replace(entry.shares[0], weight_ppm=weight) for weight in ppm)
        entries = (replace(entry, shares=shares), *tables[0].entries[1:])
        return (replace(tables[0], entries=entries), *tables[1:])

    return bend


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (fail, "router failed: RuntimeError"),
        (with_weights(900_000), "do not add up to 1"),
        (with_weights(-1), "do not add up to 1"),
        (lambda tables: tables[1:], "no table for east"),
        (lambda tables: (tables[0], *tables), "unknown or appears twice"),
        (
            lambda tables: (replace(tables[0], entries=tables[0].entries[1:]), *tables[1:]),
            "the table of east has no entry for alpha/",
        ),
    ],
)
def test_a_router_that_fails_or_talks_nonsense_is_named(
    bend: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(PolicyFailed, match=said):
        deciders(router=Bent(bend)).router.route(a_routing_problem())


def test_a_router_that_sends_where_nothing_is_ready_is_named() -> None:
    everywhere = HomeRouter().route(a_routing_problem())
    nowhere_ready = a_routing_problem(ready=0)
    with pytest.raises(PolicyFailed, match="no ready replica"):
        deciders(router=Bent(lambda _: everywhere)).router.route(nowhere_ready)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0])
def test_a_forecaster_that_talks_nonsense_is_named(rate: float) -> None:
    mean = ((1.0, rate),) * 4
    nonsense = (replace(a_forecast(steps=2), mean=mean),)
    with pytest.raises(PolicyFailed, match="negative or non-finite rate"):
        deciders(forecaster=Bent(lambda _: nonsense)).forecaster.forecast(
            (), issued_at=NOON, horizon=2 * QUARTER
        )


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even that")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(0), "planner failed: SystemExit: 0"),
        (Unspeakable(), "planner failed: Unspeakable: no message"),
        (RuntimeError("\ud800"), "planner failed: RuntimeError: ?"),
        (RuntimeError("x" * 10**6), "planner failed: RuntimeError: " + "x" * 1000),
    ],
)
def test_whatever_a_plug_in_raises_can_be_written_into_a_report(
    error: BaseException, said: str
) -> None:
    def leave(_: object) -> Any:
        raise error

    with pytest.raises(PolicyFailed) as caught:
        deciders(planner=Bent(leave)).planner.plan(a_problem())
    assert str(caught.value).encode().endswith(said.encode())


def test_a_forecaster_that_fails_is_named() -> None:
    forecaster = deciders(forecaster=Bent(fail)).forecaster
    with pytest.raises(PolicyFailed, match="forecaster failed: RuntimeError"):
        forecaster.forecast((), issued_at=NOON, horizon=HOUR)
    with pytest.raises(PolicyFailed, match="forecaster failed: RuntimeError"):
        forecaster.select((), issued_at=NOON, horizon=HOUR)


def test_sound_answers_pass_unchanged() -> None:
    plain = plain_deciders(planner=PLANNER)
    seen = watched("mine", plain)
    problem, routing = a_problem(), a_routing_problem()
    plan = plain.planner.plan(problem)
    assert seen.planner.plan(problem) == plan
    assert seen.strategy.apply(plan, problem.fleet, NOON) == plan.targets
    assert seen.router.route(routing) == plain.router.route(routing)
