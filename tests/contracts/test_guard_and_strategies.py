"""What the TargetGuard and every ScalingStrategy keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.fleet import Fleet, Signal
from heliostat.model.governance import Guardrails, Override
from heliostat.model.names import PoolKey
from heliostat.model.plan import PoolTarget, Reason
from heliostat.ports.deciding import ScalingStrategy, TargetGuard
from planning.guard import CatalogueGuard
from planning.planner import HeliostatPlanner
from planning.strategies import ForecastGap, Immediate, UtilisationGated
from tests.builders import NOON, a_catalogue, a_fleet, a_pool
from tests.planning.worlds import a_problem

WORLD = a_catalogue()
GUARD: TargetGuard = CatalogueGuard()
STRATEGIES: dict[str, ScalingStrategy] = {
    "immediate": Immediate(),
    "utilisation-gated": UtilisationGated(),
    "forecast-gap": ForecastGap(catalogue=WORLD),
}
ALL = [pool.key for pool in WORLD.pools]


@pytest.fixture(params=STRATEGIES, name="strategy")
def any_strategy(request: pytest.FixtureRequest) -> ScalingStrategy:
    return STRATEGIES[request.param]


def wanted(counts: dict[PoolKey, int]) -> tuple[PoolTarget, ...]:
    return tuple(
        PoolTarget(pool=pool, replicas=count, current=5, reason=Reason(summary="wanted"))
        for pool, count in counts.items()
    )


def clip(
    counts: dict[PoolKey, int],
    fleet: Fleet,
    *,
    guardrails: Guardrails | None = None,
    overrides: tuple[Override, ...] = (),
    last_changes: tuple[tuple[PoolKey, datetime], ...] = (),
) -> dict[PoolKey, PoolTarget]:
    clipped = GUARD.clip(
        wanted(counts),
        catalogue=replace(WORLD, guardrails=guardrails or Guardrails()),
        fleet=fleet,
        overrides=overrides,
        last_changes=last_changes,
        now=NOON,
    )
    return {target.pool: target for target in clipped}


def an_override(target: int) -> Override:
    return Override(
        override_id="o",
        pool=a_pool(),
        target_replicas=target,
        author="ada",
        reason="launch",
        created_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )


FIVE = a_fleet(dict.fromkeys(ALL, 5))


# --- guard ------------------------------------------------------------------------------------


@given(
    counts=st.fixed_dictionaries({pool: st.integers(0, 60) for pool in ALL}),
    ready=st.fixed_dictionaries({pool: st.integers(0, 8) for pool in ALL}),
    signal=st.sampled_from(Signal),
)
def test_whatever_is_wanted_comes_out_within_every_rail(
    counts: dict[PoolKey, int], ready: dict[PoolKey, int], signal: Signal
) -> None:
    rails = Guardrails(largest_step_out=4, largest_step_in=2, budget_dollars_per_hour=1500.0)
    fleet = a_fleet(ready, signal=signal)
    clipped = clip(counts, fleet, guardrails=rails)
    for pool, target in clipped.items():
        assert -2 <= target.replicas - ready[pool] <= 4
        if not signal.may_reduce_capacity:
            assert target.replicas >= ready[pool]
        assert target.reason.clip or target.replicas == counts[pool]
    spent = sum(
        WORLD.prices[p.region, p.vm_type].on_demand * t.replicas for p, t in clipped.items()
    )
    stands = sum(WORLD.prices[p.region, p.vm_type].on_demand * n for p, n in ready.items())
    assert spent <= max(1500.0, stands)


def test_what_needs_no_clip_is_left_alone() -> None:
    counts = dict.fromkeys(ALL, 5)
    assert tuple(clip(counts, FIVE).values()) == wanted(counts)


@pytest.mark.parametrize("signal", [Signal.STALE, Signal.MISSING])
def test_old_data_may_grow_a_pool_and_not_shrink_it(signal: Signal) -> None:
    fleet = a_fleet(dict.fromkeys(ALL, 5), signal=signal)
    assert clip({a_pool(): 2}, fleet)[a_pool()].replicas == 5
    assert clip({a_pool(): 6}, fleet)[a_pool()].replicas == 6


def test_a_true_zero_may_shrink_a_pool() -> None:
    fleet = a_fleet(dict.fromkeys(ALL, 5), signal=Signal.ZERO)
    assert clip({a_pool(): 1}, fleet)[a_pool()].replicas == 1


def test_a_pool_does_not_shrink_while_it_cools_down() -> None:
    changed = ((a_pool(), NOON - timedelta(minutes=9)),)
    target = clip({a_pool(): 2}, FIVE, last_changes=changed)[a_pool()]
    assert target.replicas == 5
    assert "cooling down" in target.reason.clip
    assert clip({a_pool(): 7}, FIVE, last_changes=changed)[a_pool()].replicas == 7
    long_ago = ((a_pool(), NOON - timedelta(minutes=10)),)
    assert clip({a_pool(): 2}, FIVE, last_changes=long_ago)[a_pool()].replicas == 2
    back_from_there = ((a_pool(), NOON + timedelta(days=365)),)
    assert clip({a_pool(): 2}, FIVE, last_changes=back_from_there)[a_pool()].replicas == 2
    by_another_clock = ((a_pool(), NOON + timedelta(seconds=30)),)
    assert clip({a_pool(): 2}, FIVE, last_changes=by_another_clock)[a_pool()].replicas == 5


def test_the_quota_takes_growth_back_and_never_what_stands() -> None:
    counts = {a_pool(): 30, a_pool(model="beta"): 25}
    clipped = clip(counts, FIVE)
    assert sum(target.replicas for target in clipped.values()) == 40
    assert all(target.replicas >= 5 for target in clipped.values())


def test_an_override_passes_data_step_and_cool_down() -> None:
    rails = Guardrails(largest_step_out=1, largest_step_in=1)
    stale = a_fleet(dict.fromkeys(ALL, 5), signal=Signal.STALE)
    changed = ((a_pool(), NOON),)
    for asked in (1, 20):
        clipped = clip(
            {a_pool(): 5},
            stale,
            guardrails=rails,
            overrides=(an_override(asked),),
            last_changes=changed,
        )
        assert clipped[a_pool()].replicas == asked


def test_an_override_stays_within_max_and_quota() -> None:
    assert clip({a_pool(): 5}, FIVE, overrides=(an_override(99),))[a_pool()].replicas == 30
    both = clip({a_pool(): 5, a_pool(model="beta"): 20}, FIVE, overrides=(an_override(30),))
    assert both[a_pool()].replicas == 30
    assert both[a_pool(model="beta")].replicas == 10


# --- strategies -------------------------------------------------------------------------------


def test_one_target_comes_out_for_each_that_goes_in(strategy: ScalingStrategy) -> None:
    problem = a_problem(9.0, catalogue=WORLD)
    plan = HeliostatPlanner().plan(problem)
    applied = strategy.apply(plan, problem.fleet, NOON)
    assert [t.pool for t in applied] == [t.pool for t in plan.targets]


def test_orders_of_people_take_effect_at_once(strategy: ScalingStrategy) -> None:
    problem = a_problem(1.0, catalogue=WORLD, overrides=(an_override(12),), utilisation=0.5)
    plan = HeliostatPlanner().plan(problem)
    applied = {t.pool: t for t in strategy.apply(plan, problem.fleet, NOON)}
    assert applied[a_pool()].replicas == 12


@pytest.mark.parametrize("name", ["utilisation-gated", "forecast-gap"])
def test_a_gated_pool_does_not_shrink_without_a_known_utilisation(name: str) -> None:
    problem = a_problem(0.01, ready=6, catalogue=WORLD, utilisation=None)
    plan = HeliostatPlanner().plan(problem)
    assert min(t.replicas for t in plan.targets) < 6
    applied = STRATEGIES[name].apply(plan, problem.fleet, NOON)
    assert all(t.replicas >= 6 for t in applied)
