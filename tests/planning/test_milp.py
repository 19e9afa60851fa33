"""The programme and its solution against brute force on tiny fleets, and the solver's promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from heliostat.errors import InvalidInput
from planning.highs import SolveLimits
from planning.milp.build import build
from planning.milp.instance import NEVER, Instance, Moves, Work
from planning.offline.random_problem import parse_size, random_problem
from planning.solve import SolveSettings, solve

EXACT = SolveSettings(limits=SolveLimits(nodes=2000, good_gap=0.0, most_whole=1000))


def cost_of(instance: Instance, counts: np.ndarray) -> float:
    """Dollars of these counts with the best flows, by a plain LP; one step, no moves."""
    arcs, demands = len(instance.arc_pool), len(instance.demand)
    served = np.zeros((demands, arcs + demands))
    served[instance.arc_demand, np.arange(arcs)] = 1
    served[np.arange(demands), arcs + np.arange(demands)] = 1
    held = np.zeros((instance.pools, arcs + demands))
    held[instance.arc_pool, np.arange(arcs)] = instance.arc_load
    usable = instance.usable_at(counts[:, None])[:, 0] * counts
    found = linprog(
        np.concatenate([instance.arc_cost, instance.shortage_price]),
        A_ub=held,
        b_ub=usable,
        A_eq=served,
        b_eq=instance.demand[:, 0],
    )
    return float(instance.price @ counts + found.fun)


def best_by_force(instance: Instance) -> float:
    """The least cost over all counts within limits and quotas."""
    best = np.inf
    for counts in product(*(range(int(most) + 1) for most in instance.upper[:, 0])):
        used = np.bincount(instance.quota_group, weights=counts, minlength=len(instance.quota))
        if (used <= instance.quota[:, 0]).all():
            best = min(best, cost_of(instance, np.array(counts, dtype=float)))
    return best


def tiny(seed: int, busy: float = 0.8) -> Instance:
    instance = random_problem(regions=2, models=1, vm_types=2, busy=busy, seed=seed).instance()
    return replace(instance, upper=np.minimum(instance.upper, 2))


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), busy=st.floats(0.2, 2.0))
def test_a_tiny_fleet_gets_the_optimum(seed: int, busy: float) -> None:
    instance = tiny(seed, busy)
    solution = solve(instance, EXACT)
    assert solution is not None
    assert solution.report.objective == pytest.approx(best_by_force(instance), rel=1e-6)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_whole_counts_are_priced_at_their_own_usable_share(seed: int) -> None:
    growing = np.array([0.4, 0.4, 0.6, 0.7])
    base = tiny(seed, 1.0)
    instance = replace(base, usable=np.tile(growing, (base.pools, 1)))
    solution = solve(instance, EXACT)
    assert solution is not None
    counts = solution.replicas[:, 0].astype(float)
    assert solution.report.objective == pytest.approx(cost_of(instance, counts), rel=1e-6)
    assert best_by_force(instance) <= cost_of(instance, counts) * (1 + 1e-9)


@pytest.mark.parametrize("busy", [1.0, 5.0, 20.0])
def test_an_answer_is_never_better_than_the_bound_and_breaks_no_quota(busy: float) -> None:
    instance = random_problem(regions=5, models=5, vm_types=3, busy=busy, seed=7).instance()
    solution = solve(instance, SolveSettings(limits=SolveLimits(nodes=0)))
    assert solution is not None
    report = solution.report
    assert report.objective is not None
    assert report.lp_bound is not None
    assert report.objective >= report.lp_bound * (1 - 1e-9)
    used = np.bincount(instance.quota_group, weights=solution.replicas[:, 0])
    assert (used <= instance.quota[:, 0]).all()
    assert (solution.replicas == np.round(solution.replicas)).all()
    served = np.bincount(instance.arc_demand, weights=solution.flows[:, 0])
    assert np.allclose(served + solution.shortage[:, 0], instance.demand[:, 0])


def test_dives_come_close_to_the_bound_where_pools_are_large() -> None:
    instance = random_problem(regions=10, models=20, vm_types=4, busy=20, seed=3).instance()
    solution = solve(instance, SolveSettings(limits=SolveLimits(nodes=0)))
    assert solution is not None
    assert solution.report.gap is not None
    assert solution.report.gap < 0.006
    assert solution.shortage.sum() < 1e-3 * instance.demand.sum()


def test_the_same_instance_gets_the_same_answer() -> None:
    instance = random_problem(regions=4, models=4, vm_types=2, busy=3, seed=1).instance()
    few = SolveSettings(limits=SolveLimits(nodes=2))
    first, second = (solve(instance, few, stopwatch=lambda: 0.0) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.replicas == second.replicas).all()
    assert first.report == second.report


def one_pool(demand: list[float], moves: Moves, price: float = 10.0) -> Instance:
    """One pool, one demand, hourly steps; a replica serves one request per second."""
    steps = len(demand)
    return Instance(
        price=np.array([price]),
        step_hours=np.ones(steps),
        demand=np.array([demand]),
        arc_demand=np.array([0]),
        arc_pool=np.array([0]),
        arc_load=np.array([1.0]),
        arc_cost=np.array([0.0]),
        shortage_price=np.array([1000.0]),
        lower=np.zeros((1, steps), dtype=np.int64),
        upper=np.full((1, steps), 20, dtype=np.int64),
        quota_group=np.array([0]),
        quota=np.full((1, steps), 20, dtype=np.int64),
        usable=np.ones((1, 2)),
        typical=np.ones((1, steps)),
        moves=moves,
    )


def some_moves(steps: int, *, initial: int, lead: int, held: bool = False) -> Moves:
    arrival = [t + lead if t + lead < steps else NEVER for t in range(steps)]
    return Moves(
        initial=np.array([initial]),
        arriving=np.zeros((1, steps), dtype=np.int64),
        start_arrival=np.array([arrival]),
        start_cost=np.array([0.5]),
        change_cost=np.array([0.1]),
        redeploys=np.zeros((0, 2), dtype=np.int64),
        redeploy_arrival=np.zeros((0, steps), dtype=np.int64),
        redeploy_cost=np.zeros(0),
        fixed_now=np.array([held]),
    )


def test_an_order_is_given_its_lead_time_ahead_and_not_before() -> None:
    solution = solve(one_pool([1, 1, 1, 5], some_moves(4, initial=1, lead=2)), EXACT)
    assert solution is not None
    assert solution.replicas.tolist() == [[1, 1, 1, 5]]
    assert solution.starts.tolist() == [[0, 4, 0, 0]]


def test_what_cannot_be_ready_in_time_is_short_and_the_rest_is_ordered_at_once() -> None:
    solution = solve(one_pool([4, 4, 4], some_moves(3, initial=1, lead=1)), EXACT)
    assert solution is not None
    assert solution.starts[0, 0] == 3
    assert solution.shortage[0].tolist() == pytest.approx([3, 0, 0])


def test_a_held_pool_keeps_its_replicas_in_the_first_step() -> None:
    for held, stays in ((False, 1), (True, 6)):
        moves = some_moves(2, initial=6, lead=1, held=held)
        solution = solve(one_pool([1, 1], moves), EXACT)
        assert solution is not None
        assert solution.replicas[0, 0] == stays


def test_replicas_under_way_are_billed_and_count_against_the_quota() -> None:
    instance = one_pool([1, 1, 4], some_moves(3, initial=1, lead=2))
    tight = replace(instance, quota=np.array([[3, 3, 20]]))
    solution = solve(tight, EXACT)
    assert solution is not None
    assert solution.starts[0, 0] == 2
    assert solution.report.objective == pytest.approx(
        10 * (1 + 1 + 3) + 10 * 2 * 2 + 2 * (0.5 + 0.1) + 1000
    )


@pytest.mark.parametrize("row", ["quota", "budget"])
def test_replicas_ordered_earlier_count_until_they_arrive(row: str) -> None:
    """Two of them arrive in the last step: of 30 replicas or dollars, 28 or 10 are left until then."""
    moves = replace(some_moves(3, initial=0, lead=0), arriving=np.array([[0, 0, 2]]))
    group = np.array([1])  # the first quota is of no pool
    quota = np.array([[5, 5, 5], [30, 30, 30]])
    instance = replace(one_pool([1, 1, 1], moves), quota_group=group, quota=quota, budget=30.0)
    programme = build(instance, np.ones((1, 3)))
    first, end = programme.row_kinds[row]
    bounds = {"quota": [5, 5, 5, 28, 28, 30], "budget": [10, 10, 30]}
    assert programme.row_upper[first:end].tolist() == bounds[row]


def test_releasing_now_and_buying_back_is_avoided_when_it_costs_more_than_waiting() -> None:
    solution = solve(one_pool([5, 4, 5], some_moves(3, initial=5, lead=1)), EXACT)
    assert solution is not None
    assert solution.replicas.tolist() == [[5, 5, 5]]


def test_the_budget_gives_way_to_demand_only_where_that_is_dearer() -> None:
    moves = some_moves(1, initial=2, lead=0)
    solution = solve(replace(one_pool([5], moves), budget=30.0), EXACT)
    assert solution is not None
    assert solution.over_budget.sum() == pytest.approx(20.0)
    poor = replace(one_pool([5], moves), budget=30.0, shortage_price=np.array([100.0]))
    kept = solve(poor, EXACT)
    assert kept is not None
    assert kept.replicas.tolist() == [[3]]
    assert kept.shortage.sum() == pytest.approx(2.0)


def test_a_solver_that_may_not_iterate_has_no_answer() -> None:
    instance = random_problem(regions=4, models=4, vm_types=2, busy=3, seed=1).instance()
    assert solve(instance, SolveSettings(limits=SolveLimits(nodes=0, iterations=0))) is None


def test_rows_without_switches_are_left_out() -> None:
    instance = random_problem(regions=2, models=2, vm_types=1, busy=3, seed=1).instance()
    programme = build(instance, instance.usable_at(instance.typical))
    assert set(programme.row_kinds) == {"served", "capacity", "quota", "floor"}


@pytest.mark.parametrize("text", ["10x20", "axbxc", "10x20x4x5", "", "1x-2x3"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="RxMxG"):
        parse_size(text)


def test_a_random_problem_is_of_its_size_and_its_seed() -> None:
    problem = random_problem(regions=10, models=3, vm_types=2, busy=8, seed=5)
    again = random_problem(regions=10, models=3, vm_types=2, busy=8, seed=5)
    assert (problem.demand == again.demand).all()
    assert problem.reach.sum(axis=1).tolist() == [8] * 10
    busy = problem.demand / problem.throughput[:, 0]
    assert 4 <= busy.min() <= busy.max() <= 12
    speed = 2 ** (np.arange(2) / 2)
    assert (problem.quota @ speed >= 1.5 * busy.sum(axis=1) / 0.85 - 1e-9).all()


def test_work_that_may_wait_needs_replicas_even_where_no_peak_does() -> None:
    base = random_problem(regions=2, models=1, vm_types=1, busy=6.0, seed=3).instance()
    arcs = len(base.arc_pool)
    yields = replace(base, arc_load=np.zeros(arcs))
    work = replace(yields, work=Work(load=np.tile(base.arc_load[:, None], 1), share=0.9))
    free, bound = solve(yields, EXACT), solve(work, EXACT)
    assert free is not None
    assert bound is not None
    assert free.replicas.sum() == 0
    done = np.zeros(base.pools)
    np.add.at(done, base.arc_pool, base.arc_load * bound.flows[:, 0])
    assert (done <= 0.9 * bound.replicas[:, 0] + 1e-6).all()
    assert bound.shortage.sum() == pytest.approx(0.0, abs=1e-6)
