"""Requests of each origin count at their own lengths, in plans as in routes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.model.demand import TokenMix
from heliostat.model.names import EVERYWHERE, DemandKey, Tier
from heliostat.ports.deciding import PlanningProblem
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.routing.router import WaterFillingRouter
from planning.serving import usable_table
from planning.settings import PlannerSettings
from planning.situation import Situation, look
from tests.builders import a_catalogue, a_demand, a_pool, catalogue_mapping
from tests.planning.worlds import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    a_problem,
    a_routing_problem,
    all_keys,
    forecasts_of,
    with_totals,
)

EAST, WEST = a_demand("east"), a_demand("west")
SIZES = st.floats(0.05, 1.5)
RATES = st.floats(0.1, 50.0)


def a_mix(key: DemandKey, times: float = 1.0) -> TokenMix:
    """Requests so many times as long as the catalogue assumes."""
    return TokenMix(
        origin=key.origin,
        model=key.model,
        tier=key.tier,
        input_tokens=times * INPUT_TOKENS,
        output_tokens=times * OUTPUT_TOKENS,
        requests=1000,
    )


def seen(problem: PlanningProblem) -> Situation:
    return look(problem, (chosen := PlannerSettings()), horizon(problem.at, chosen))


def rates(problem: PlanningProblem) -> dict[str, float]:
    """Requests per second of the first step, by origin."""
    return {row.key.origin: float(row.pooled[0]) for row in seen(problem).wanted.regional}


@given(east=RATES, west=RATES, size=SIZES)
@settings(max_examples=30)
def test_tokens_of_shorter_requests_are_more_requests(
    east: float, west: float, size: float
) -> None:
    wanted = {EAST: east, WEST: west}
    common = rates(a_problem(wanted))
    own = rates(a_problem(wanted, mixes=(a_mix(EAST, size),)))
    assert own["east"] == pytest.approx(common["east"] / size)
    assert own["west"] == common["west"]


@given(east=RATES, west=RATES, sizes=st.tuples(SIZES, SIZES), factor=st.floats(0.7, 1.3))
@settings(max_examples=30)
def test_flows_add_up_to_the_tokens_of_the_aggregate_whatever_the_lengths(
    east: float, west: float, sizes: tuple[float, float], factor: float
) -> None:
    wanted = {EAST: east, WEST: west}
    forecasts = forecasts_of(with_totals(wanted, factor), spread=0.2)
    alike = a_problem(wanted, forecasts=forecasts)
    mixes = (a_mix(EAST, sizes[0]), a_mix(WEST, sizes[1]))
    own = rates(replace(alike, mixes=mixes))
    assert own["east"] * sizes[0] + own["west"] * sizes[1] == pytest.approx(
        sum(rates(alike).values())
    )


@given(wanted=st.tuples(RATES, RATES), size=SIZES)
@settings(max_examples=20)
def test_origins_that_are_all_alike_are_planned_as_one_mix(
    wanted: tuple[float, float], size: float
) -> None:
    demand = dict(zip((EAST, WEST), wanted, strict=True))
    whole = a_mix(EAST.everywhere, size)
    one = a_problem(demand, mixes=(whole,))
    many = a_problem(demand, mixes=(whole, a_mix(EAST, size), a_mix(WEST, size)))
    planner = HeliostatPlanner(stopwatch=lambda: 0.0)
    assert planner.plan(one) == planner.plan(many)


def test_short_requests_need_what_their_own_prefills_take() -> None:
    # The tokens that long requests bring cost less in few prompts than in many: per prompt there is
    # a time that does not shrink.
    wanted = {EAST: 30.0, WEST: 30.0}
    common = HeliostatPlanner().plan(a_problem(wanted))
    short = HeliostatPlanner().plan(a_problem(wanted, mixes=(a_mix(EAST, 0.02),)))
    assert sum(t.replicas for t in short.targets) > sum(t.replicas for t in common.targets)


def test_an_origin_whose_requests_a_vm_type_cannot_serve_in_time_is_named() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        fast = dict(model["tiers"]["interactive-fast"], ttft_seconds=1.0, ttft_prefill_multiple=1.0)
        model["tiers"] = model["tiers"] | {"interactive-fast": fast}
    fast_east, fast_west = (a_demand(o, tier=Tier.INTERACTIVE_FAST) for o in ("east", "west"))
    plan = HeliostatPlanner().plan(
        a_problem(
            {fast_east: 2.0, fast_west: 2.0},
            catalogue=a_catalogue(mapping),
            mixes=(a_mix(fast_east, 20.0),),
        )
    )
    said = [note for note in plan.notes if "cannot serve interactive-fast" in note]
    assert said
    assert all("requests of east" in note for note in said)
    assert {flow.vm_type for flow in plan.flows if flow.demand == fast_east} <= {"big"}


def test_urgent_requests_of_one_origin_need_room_also_where_those_of_all_are_out_of_reach() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        fast = dict(model["tiers"]["interactive-fast"], ttft_seconds=1.0, ttft_prefill_multiple=1.0)
        model["tiers"] = model["tiers"] | {"interactive-fast": fast}
    fast_east = a_demand("east", tier=Tier.INTERACTIVE_FAST)

    def usable(common: float) -> float:
        """ρ of three small replicas, where everybody's requests are so many times as long."""
        mixes = (a_mix(fast_east.everywhere, common), a_mix(fast_east, 0.5))
        situation = seen(a_problem({fast_east: 5.0}, catalogue=a_catalogue(mapping), mixes=mixes))
        small = next(n for n, s in enumerate(situation.pools) if s.key == a_pool())
        assert situation.theta(fast_east, a_pool().vm_type) > 0
        return float(usable_table(situation)[small, 3])

    assert usable(0.5) < 0.94
    assert usable(20.0) == pytest.approx(usable(0.5))


def test_a_demand_without_a_mix_of_its_own_has_that_of_all_origins() -> None:
    world = a_catalogue()
    whole, own = a_mix(EAST.everywhere, 0.5), a_mix(EAST, 0.2)
    found = world.demand_mixes([own, whole])
    assert (found[EAST], found[WEST], found[EAST.everywhere]) == (own, whole, whole)
    assert set(found) == {*all_keys(world), *(key.everywhere for key in all_keys(world))}
    assert world.mixes([own])[EAST.model, EAST.tier].requests == 0, "one origin is not all"


def test_routes_know_that_short_requests_are_served_faster() -> None:
    world = a_catalogue()
    asked = dict.fromkeys(all_keys(world), 0.0) | {EAST: 120.0}

    def shed(*mixes: TokenMix) -> int:
        tables = WaterFillingRouter().route(a_routing_problem(asked, catalogue=world, mixes=mixes))
        entry = next(t for t in tables if t.origin == EAST.origin).entry(EAST.model, EAST.tier)
        assert entry is not None
        return entry.shed_ppm

    assert shed() > 0
    assert shed(a_mix(EAST, 0.05)) == 0
    assert shed(a_mix(WEST, 0.05)) == shed()


def test_the_common_throughput_is_not_any_origins() -> None:
    situation = seen(a_problem({EAST: 1.0}, mixes=(a_mix(EAST, 0.1),)))
    whole = DemandKey(origin=EVERYWHERE, model=EAST.model, tier=EAST.tier)
    for vm_type in situation.catalogue.model(EAST.model).engines:
        assert situation.theta(EAST, vm_type) > situation.theta(WEST, vm_type)
        assert situation.theta(WEST, vm_type) == situation.theta(whole, vm_type)
    assert np.isfinite([row.own for row in situation.wanted.regional]).all()
