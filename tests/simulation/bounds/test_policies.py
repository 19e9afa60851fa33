"""No policy goes below the bound, on a small world that every one of them runs through."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from heliostat.model.instants import Span
from heliostat.model.names import Tier
from simulation.accounts import Accounts
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.bootstrap import fluid_engine, simulated_world
from simulation.bounds.goodput import EACH_PROMPT_ALONE
from simulation.bounds.linear import Bound, linear_bound
from simulation.bounds.oracle import causal_oracle_policy
from simulation.bounds.programme import Terms
from simulation.bounds.work import work_of_rates
from simulation.policies.policy import Policy
from simulation.policies.registry import PLUGINS, policy_named
from tests.builders import MINUTE, NOON, QUARTER, a_demand
from tests.simulation.bounds.worlds import a_small_catalogue

CATALOGUE = a_small_catalogue()
BEFORE, MINUTES = 180, 90
RUN = Span(NOON, NOON + MINUTE * MINUTES)
ORACLE = "causal oracle"


@cache
def a_morning() -> ArrivalRates:
    """Demand of two regions that doubles within the run, noisy by the minute, a tenth of it batch."""
    rng = np.random.default_rng(7)
    rise = np.linspace(1500.0, 5000.0, BEFORE + MINUTES)
    columns = {}
    for origin in ("east", "west"):
        for tier, share in ((Tier.INTERACTIVE_FAST, 0.6), (Tier.BATCH, 0.1)):
            offered = rng.poisson(rise * share).astype(np.float64)
            columns[a_demand(origin=origin, tier=tier)] = MinuteArrivals(
                offered=offered, input_tokens=offered * 1000, output_tokens=offered * 100
            )
    return ArrivalRates(start=NOON - MINUTE * BEFORE, by_demand=columns)


def policy_of(name: str) -> Policy:
    if name == ORACLE:
        return causal_oracle_policy(CATALOGUE, a_morning())
    return policy_named(name, CATALOGUE)


@cache
def accounts_under(name: str) -> Accounts:
    world = simulated_world(
        catalogue=CATALOGUE,
        arrivals=a_morning(),
        begins=NOON,
        policy=policy_of(name),
        seed=1,
        engine=fluid_engine,
    )
    world.run_until(RUN.end)
    return world.accounts()


def bound_at(attainment: float, *, finish_batch: bool = False) -> Bound:
    work = work_of_rates(CATALOGUE, a_morning(), RUN, QUARTER, EACH_PROMPT_ALONE)
    return linear_bound(CATALOGUE, work, Terms(attainment=attainment, finish_batch=finish_batch))


@pytest.mark.parametrize("name", [*PLUGINS, ORACLE])
def test_no_policy_spends_less_than_the_bound_at_its_own_attainment(name: str) -> None:
    accounts = accounts_under(name)
    assert accounts.slo_attainment_overall is not None
    bound = bound_at(accounts.slo_attainment_overall)
    assert bound.gpu_hours is not None
    assert bound.cost_dollars is not None
    assert 0 < bound.gpu_hours <= accounts.gpu_hours_billed
    assert 0 < bound.cost_dollars <= accounts.cost_dollars


def test_the_bound_is_near_the_work_that_was_done() -> None:
    """Where floors do not matter and there is one VM type, what separates a policy from the bound is
    its idle and its scaling time."""
    accounts = accounts_under("heliostat")
    bound = bound_at(1.0, finish_batch=True)
    worked = (
        accounts.gpu_hours_billed - accounts.idle_gpu_hours - accounts.scaling_overhead_gpu_hours
    )
    assert bound.gpu_hours is not None
    assert 0.95 * worked < bound.gpu_hours <= 1.01 * worked
