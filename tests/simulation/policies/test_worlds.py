"""Every policy, and the worked example, runs through a short world; one that fails is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from heliostat.model.names import Tier
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import PlanningProblem
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.bootstrap import fluid_engine_without_sketches, simulated_world
from simulation.policies.failure import PolicyFailed
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.registry import PLUGINS
from simulation.world import SimulatedWorld
from tests.builders import NOON, a_catalogue
from tests.planning.worlds import all_keys
from tests.simulation.policies.adding_a_policy import QUEUE_RULE

HOUR = timedelta(hours=1)
CATALOGUE = a_catalogue()
PAGE = Path(__file__).parents[3] / "docs" / "adding-a-policy.md"
SHELF = dict(PLUGINS) | {QUEUE_RULE.name: QUEUE_RULE}
BLIND = ("reactive-kv", "reactive-kv-70-30", "llumnix-untuned")
"""Their signal, memory, never fills on replicas with so much of it."""


def arrivals(growth: float) -> ArrivalRates:
    """An hour of 120 requests a minute and demand, then three of `growth` times as many."""
    offered = np.full(240, 120.0)
    offered[60:] = round(120 * growth)
    columns = MinuteArrivals(
        offered=offered, input_tokens=offered * 1000, output_tokens=offered * 100
    )
    return ArrivalRates(start=NOON - HOUR, by_demand=dict.fromkeys(all_keys(CATALOGUE), columns))


def a_world(policy: Policy, growth: float, small: int = 3) -> SimulatedWorld:
    """So many small replicas a pool stand at the beginning, and one big one."""
    counts = {"small": small, "big": 1}
    return simulated_world(
        fleet={spec.key: counts[spec.key.vm_type] for spec in CATALOGUE.pools},
        catalogue=CATALOGUE,
        arrivals=arrivals(growth),
        begins=NOON,
        policy=policy,
        seed=3,
        engine=fluid_engine_without_sketches,
    )


def standing(world: SimulatedWorld) -> int:
    return sum(s.observation.standing for s in world.stores.fleet.fleet(world.now).pools)


def made(name: str) -> Policy:
    return SHELF[name].make(CATALOGUE, PolicyOptions())


@pytest.mark.parametrize("name", sorted(set(SHELF) - set(BLIND)))
def test_a_policy_buys_when_demand_is_six_times_what_it_was(name: str) -> None:
    world = a_world(made(name), 6.0)
    world.run_until(NOON)
    before = standing(world)
    world.run_until(NOON + 1.5 * HOUR)
    assert standing(world) > before
    assert world.accounts().scale_events["bought"] > 0


@pytest.mark.parametrize("name", sorted(SHELF))
def test_a_policy_gives_back_when_demand_has_gone(name: str) -> None:
    world = a_world(made(name), 0.05, small=8)
    world.run_until(NOON)
    before = standing(world)
    world.run_until(NOON + 2 * HOUR)
    assert standing(world) < before
    accounts = world.accounts()
    assert accounts.offered == accounts.admitted + accounts.shed


def test_silos_keep_both_kinds_of_work_on_pools_of_their_own() -> None:
    policy = made("siloed")
    assert policy.recast is not None
    world = a_world(policy, 1.0)
    world.run_until(NOON + HOUR / 2)
    tallies = world.estate.engine.tallies()
    kinds = {(key.model.split("+")[1], key.tier is Tier.BATCH) for key in tallies}
    assert kinds == {("interactive", False), ("batch", True)}
    assert set(tallies) == {policy.recast.demand(key) for key in all_keys(CATALOGUE)}


def test_a_policy_that_breaks_down_in_a_world_is_named_with_the_instant() -> None:
    class BreaksAtOne:
        def plan(self, problem: PlanningProblem) -> CapacityPlan:
            if problem.at >= NOON + HOUR / 2:
                raise ZeroDivisionError("nobody waits")
            return made("reactive").deciders.planner.plan(problem)

    policy = made("reactive")
    broken = replace(
        policy, name="broken", deciders=replace(policy.deciders, planner=BreaksAtOne())
    )
    world = a_world(broken, 1.0)
    with pytest.raises(PolicyFailed, match=r"policy broken at 2026-03-02T12:30:00Z.*nobody waits"):
        world.run_until(NOON + HOUR)
    assert world.accounts().offered > 0


def test_the_page_shows_the_example_as_it_runs() -> None:
    example = (Path(__file__).parent / "adding_a_policy.py").read_text()
    shown = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert shown == example
