"""The event engine beside the bounds: single requests never beat them, and come near."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from heliostat.model.instants import Span
from heliostat.model.names import ModelName, VmTypeName
from simulation.accounts import Accounts
from simulation.bootstrap import Workplace, simulated_world
from simulation.bounds.goodput import practice_of
from simulation.bounds.linear import Bound, linear_bound
from simulation.bounds.programme import Terms
from simulation.bounds.work import work_of_requests
from simulation.engine import Change, EngineModel, ReplicaChange, TierTally
from simulation.local_policy import LocalPolicy, Prefill
from simulation.policies.registry import policy_named
from simulation.requests.binning import rates_of
from tests.builders import NOON, QUARTER, a_pool
from tests.simulation.bounds.steady import best_steady_goodput
from tests.simulation.bounds.test_goodput import a_mix
from tests.simulation.bounds.worlds import ListedRequests, a_small_catalogue

EventEngine: Any = pytest.importorskip(
    "simulation.event.engine", reason="the compiled engine comes with the sim extra"
).EventEngine
CATALOGUE = a_small_catalogue()
LAW = CATALOGUE.law(ModelName("alpha"), VmTypeName("small"))
LOADS = (0.7, 0.9, 1.1)
MINUTES = 15
REPLICAS = 2


def tally_of(requests_per_second: float, prompt: int, output: int, local: LocalPolicy) -> TierTally:
    """Two replicas under that load, by chance, for a quarter of an hour."""
    count = round(requests_per_second * 60 * MINUTES)
    at = np.random.default_rng(1).uniform(0, 60 * MINUTES, count)
    source = ListedRequests(at.tolist(), minutes=MINUTES, prompt=prompt, output=output)
    engine = EventEngine(CATALOGUE, source, local)
    changes = [
        ReplicaChange(at=NOON, replica_id=f"r{i}", pool=a_pool(), what=Change.READY)
        for i in range(REPLICAS)
    ]
    for begin in source.span.steps(engine.step):
        engine.serve(Span(begin, begin + engine.step), changes=changes, tables={})
        changes = []
    tallies: list[TierTally] = list(engine.tallies().values())
    return tallies[0]


@pytest.mark.parametrize("prefill", Prefill)
@pytest.mark.parametrize(
    ("prompt", "output", "near"), [(1000, 100, 0.85), (200, 400, 0.85), (6000, 100, 0.7)]
)
def test_replicas_complete_no_more_than_the_best_goodput_and_come_near(
    prefill: Prefill, prompt: int, output: int, near: float
) -> None:
    local = LocalPolicy(prefill=prefill)
    best = best_steady_goodput(LAW, a_mix(prompt, output), 0.3, practice_of(local))
    reached = []
    for load in LOADS:
        tally = tally_of(load * REPLICAS * best, prompt, output, local)
        reached.append(tally.completed / (60 * MINUTES * REPLICAS * best))
    assert near < max(reached) <= 1.0


@cache
def some_requests() -> ListedRequests:
    """An hour whose load doubles, in one region."""
    minutes = 60
    rise = np.linspace(10, 30, minutes * 60)
    rng = np.random.default_rng(3)
    counts = rng.poisson(rise)
    at = np.repeat(np.arange(minutes * 60), counts) + rng.random(counts.sum())
    return ListedRequests(at.tolist(), minutes=minutes)


def event_engine(workplace: Workplace) -> EngineModel:
    engine: EngineModel = EventEngine(workplace.catalogue, some_requests(), workplace.policy.local)
    return engine


@pytest.mark.parametrize("name", ["reactive", "heliostat"])
def test_no_policy_on_single_requests_spends_less_than_the_bound(name: str) -> None:
    source = some_requests()
    policy = policy_named(name, CATALOGUE)
    world = simulated_world(
        catalogue=CATALOGUE,
        arrivals=rates_of(source),
        begins=NOON,
        policy=policy,
        seed=1,
        engine=event_engine,
    )
    world.run_until(source.span.end)
    accounts: Accounts = world.accounts()
    reached = accounts.slo_attainment_reachable_overall
    assert reached is not None
    work = work_of_requests(CATALOGUE, source, source.span, QUARTER, practice_of(policy.local))
    bound: Bound = linear_bound(CATALOGUE, work, Terms(attainment=reached))
    assert bound.gpu_hours is not None
    assert bound.cost_dollars is not None
    assert 0.3 * accounts.gpu_hours_billed < bound.gpu_hours <= accounts.gpu_hours_billed
    assert bound.cost_dollars <= accounts.cost_dollars
