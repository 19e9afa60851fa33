"""Of a model's pools in a region the cheapest grows first, and the dearest shrinks first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from heliostat.catalogue import PoolSpec
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, Signal
from heliostat.model.names import PoolKey
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.pool_rules import PoolRulePlanner, Wish
from planning.rivals.cheapest_first import CheapestFirst, by_cost
from tests.builders import NOON, a_catalogue, a_pool
from tests.planning.worlds import a_problem

CHEAP, DEAR = a_pool(vm_type="small"), a_pool(vm_type="big")


@dataclass(frozen=True)
class Always:
    """Every pool wants so many more."""

    more: int
    policy: str = "always"

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        return Wish(replicas=ordered(seen) + self.more, binding="always", why="it does")


def planned(more: int, cheap: int, dear: int) -> tuple[int, int]:
    states = tuple(
        PoolState(
            observation=PoolObservation(pool=pool, ready=count, desired=count),
            observed_at=NOON,
            signal=Signal.FRESH,
        )
        for pool, count in ((CHEAP, cheap), (DEAR, dear))
    )
    problem = a_problem(fleet=Fleet(at=NOON, pools=states), catalogue=a_catalogue())
    plan = PoolRulePlanner(CheapestFirst(rule=Always(more))).plan(problem)

    def count(pool: PoolKey) -> int:
        target = plan.target(pool)
        assert target is not None
        return target.replicas

    return count(CHEAP), count(DEAR)


def test_the_small_type_is_the_cheaper_one_per_request() -> None:
    catalogue = a_catalogue()
    ranked = by_cost(a_problem(catalogue=catalogue), catalogue.pool(DEAR))
    assert [spec.key for spec in ranked] == [CHEAP, DEAR]


@pytest.mark.parametrize(
    ("more", "cheap", "dear", "after"),
    [
        (1, 5, 2, (6, 2)),
        (-1, 5, 2, (5, 1)),
        (-1, 5, 1, (4, 1)),
        (2, 30, 2, (30, 4)),
        (0, 5, 2, (5, 2)),
    ],
)
def test_one_pool_at_a_time_moves(more: int, cheap: int, dear: int, after: tuple[int, int]) -> None:
    assert planned(more, cheap, dear) == after


def test_a_pool_without_replicas_is_not_waited_for() -> None:
    assert planned(1, 0, 4)[1] == 5
