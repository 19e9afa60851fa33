"""Runs on single requests: the same scenario, other engine; names of a recast fleet; who comes back."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from simulation.clients import RetryRule
from simulation.experiments.ceilings import LINEAR
from simulation.experiments.engines import check_engine, engine_said
from simulation.experiments.recast_source import RecastSource
from simulation.experiments.result import RunResult
from simulation.experiments.scenes import load_scene
from simulation.experiments.simulate import simulate
from simulation.experiments.spec import BoundTerms, PolicySpec, SceneRef
from simulation.experiments.warming import warm_up
from simulation.policies.recast import siloed
from tests.builders import MINUTE, NOON
from tests.simulation.experiments.little import a_history, a_spec

ROOMS = ("forecasting.", "planning.", "scheduling.", "simulation.")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneRef:
    return a_history(tmp_path_factory.mktemp("scene"), minutes=30)


@pytest.mark.parametrize("policy", ["reactive", "siloed", "chiron"])
def test_a_run_on_single_requests_offers_what_the_scenario_holds(
    scene: SceneRef, policy: str
) -> None:
    spec = a_spec(scene, engine="event", policy=PolicySpec(name="x", policy=policy), recorded=True)
    outcome = simulate(spec)
    assert isinstance(outcome, RunResult)
    assert outcome.requests == 4 * 30 * 240
    assert outcome.figures["slo_attainment_reachable.interactive-fast"] is not None
    assert (
        outcome.figures["slo_attainment_judged"]
        == outcome.figures["slo_attainment_reachable_overall"]
    )
    assert outcome.record is not None
    assert sum(sum(tier.offered) for tier in outcome.record.tiers.values()) == outcome.requests


def test_the_same_run_on_single_requests_is_the_same(scene: SceneRef) -> None:
    first, again = (simulate(a_spec(scene, engine="event")) for _ in range(2))
    assert replace(first, cpu_seconds=0.0) == replace(again, cpu_seconds=0.0)


def test_another_engine_is_another_run(scene: SceneRef) -> None:
    assert a_spec(scene, engine="event").key("c") != a_spec(scene, engine="fluid").key("c")


def test_the_bound_of_single_requests_lies_below_the_policy(scene: SceneRef) -> None:
    ran = simulate(a_spec(scene, engine="event"))
    terms = BoundTerms(attainment=0.9, most_prefill_tokens=8192)
    bound = simulate(a_spec(scene, engine="event", policy=LINEAR, bound=terms))
    assert isinstance(ran, RunResult)
    assert isinstance(bound, RunResult)
    assert 0 < (bound.figures["lp_gpu_hours"] or 0) < (ran.figures["gpu_hours_billed"] or 0)


def test_requests_keep_everything_but_their_names_in_a_recast_fleet(scene: SceneRef) -> None:
    scenario = load_scene(scene)
    plain, recast = scenario.source(1), siloed(scenario.catalogue)
    renamed = RecastSource(scenario.source(1), recast)
    assert renamed.demands == tuple(sorted(recast.demand(key) for key in plain.demands))
    span = (NOON, NOON + 2 * MINUTE)
    was, now = plain.between(*span), renamed.between(*span)
    assert np.array_equal(was.arrival_seconds, now.arrival_seconds)
    assert np.array_equal(was.input_tokens, now.input_tokens)
    for before, after in zip(was.demand.tolist(), now.demand.tolist(), strict=True):
        assert recast.demand(plain.demands[before]) == renamed.demands[after]
    assert renamed.history().demands == renamed.demands
    assert renamed.known(renamed.demands[0].origin, NOON)
    assert (renamed.start, renamed.span) == (plain.start, plain.span)


def test_only_the_fluid_engine_says_that_it_knows_no_retries(scene: SceneRef) -> None:
    scenario = load_scene(scene)
    returning = replace(scenario, retries=RetryRule(most=2, probability=0.5, growth=2.0))
    for engine in ("event", "fluid"):
        check_engine(engine, returning)
    assert engine_said("event", returning, ()) == ()
    assert "has no retries" in engine_said("fluid", returning, ())[0]
    assert engine_said("fluid", scenario, ()) == ()


def test_the_fluid_engine_says_what_it_does_not_show_of_whom(scene: SceneRef) -> None:
    scenario = load_scene(scene)
    asked = (
        PolicySpec(name="packed", policy="chiron"),
        PolicySpec(name="ordered", policy="reactive", order="edf", batch_size=8),
        PolicySpec(name="plain", policy="reactive"),
    )
    of_packed, of_ordered = engine_said("fluid", scenario, asked)
    assert "not show, for packed: batch sizes, packing, eviction" in of_packed
    assert of_ordered == "The fluid engine ignores these settings of ordered: order, batch_size."
    assert engine_said("event", scenario, asked) == ()


def compiled() -> set[str]:
    """Our functions for which this process has machine code of its own, compiled or from the cache."""
    found = (one for one in gc.get_objects() if isinstance(one, Dispatcher))
    ours = (one.py_func for one in found if one.signatures)
    return {f"{f.__module__}.{f.__name__}" for f in ours if f.__module__.startswith(ROOMS)}


def compiled_by_warming_up_and_by_a_run(
    scene: SceneRef, policy: PolicySpec
) -> tuple[set[str], set[str]]:
    """For a process that has compiled nothing."""
    warm_up("event")
    warm = compiled()
    simulate(a_spec(scene, engine="event", policy=policy))
    return warm, compiled() - warm


@pytest.mark.parametrize("policy", ["reactive", "heliostat"])
def test_warming_up_compiles_what_a_run_needs(scene: SceneRef, policy: str) -> None:
    spec = PolicySpec(name=policy, policy=policy)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        warm, later = fresh.submit(compiled_by_warming_up_and_by_a_run, scene, spec).result()
    assert {f"simulation.event.machine.{name}" for name in ("step", "gauge", "drain")} <= warm
    assert later == set()


def test_warming_up_the_fluid_engine_compiles_nothing() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        fresh.submit(warm_up, "fluid").result()
        assert fresh.submit(compiled).result() == set()
