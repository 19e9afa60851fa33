"""Balanced routing: regions of a pool are filled alike, and bursts of one meet the headroom of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import DemandKey, RegionName, Tier
from heliostat.model.routing import MILLION, RoutingTable
from planning.routing.balance import balance
from planning.routing.fill import Want
from planning.routing.router import WaterFillingRouter
from tests.builders import a_catalogue, a_demand
from tests.planning.worlds import a_routing_problem, all_keys

WORLD = a_catalogue()
EAST, WEST = RegionName("east"), RegionName("west")
POOLED = WaterFillingRouter(pooled_within=timedelta(seconds=1))
ALONE = WaterFillingRouter(pooled_within=timedelta(0))


def want(origin: str, rate: float, *serving: str, speed: float = 1.0) -> Want:
    regions = tuple(RegionName(name) for name in serving)
    return Want(
        origin=RegionName(origin),
        requests_per_second=rate,
        wanted={},
        serving=regions,
        throughput=dict.fromkeys(regions, speed),
    )


def ready(**replicas: float) -> dict[RegionName, float]:
    return {RegionName(name): count for name, count in replicas.items()}


def use(wants: list[Want], size: dict[RegionName, float]) -> dict[RegionName, float]:
    load = dict.fromkeys(size, 0.0)
    balance(wants, size, load)
    return {region: load[region] / size[region] for region in size}


def split(table: tuple[RoutingTable, ...], origin: RegionName, tier: Tier) -> tuple[int, int, int]:
    entry = next(t for t in table if t.origin == origin).entry(a_demand().model, tier)
    assert entry is not None
    return entry.weight(EAST), entry.weight(WEST), entry.shed_ppm


def only(rate: float, tier: Tier = Tier.INTERACTIVE_NORMAL) -> dict[DemandKey, float]:
    return dict.fromkeys(all_keys(WORLD), 0.0) | {a_demand(tier=tier): rate}


def test_every_origin_is_spread_in_proportion_to_what_is_ready() -> None:
    placed = balance(
        [want("a", 9.0, "a", "b"), want("b", 1.0, "a", "b")],
        ready(a=4, b=1),
        {RegionName("a"): 0.0, RegionName("b"): 0.0},
    )
    for origin, rate in (("a", 9.0), ("b", 1.0)):
        assert placed[RegionName(origin)] == pytest.approx({"a": 0.8 * rate, "b": 0.2 * rate})


def test_an_origin_that_may_go_to_one_region_only_pushes_the_others_away() -> None:
    wants = [want("a", 4.0, "a"), want("b", 2.0, "a", "b")]
    assert use(wants, ready(a=4, b=2)) == pytest.approx({"a": 1.0, "b": 1.0})


@given(
    rates=st.lists(st.floats(0.01, 50), min_size=3, max_size=3),
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=3),
    speed=st.floats(0.1, 10),
)
def test_all_demand_is_placed_and_regions_that_all_may_use_are_filled_alike(
    rates: list[float], sizes: list[int], speed: float
) -> None:
    names = ("a", "b", "c")
    wants = [want(o, r, *names, speed=speed) for o, r in zip(names, rates, strict=True)]
    used = use(wants, dict(zip(ready(a=0, b=0, c=0), map(float, sizes), strict=True)))
    assert max(used.values()) - min(used.values()) <= 0.01 * max(used.values())
    assert sum(used[RegionName(n)] * s for n, s in zip(names, sizes, strict=True)) == pytest.approx(
        sum(rates) / speed
    )


def test_urgent_demand_that_is_stuck_in_a_region_leaves_the_other_to_patient_demand() -> None:
    load = {EAST: 3.0, WEST: 0.0}
    placed = balance([want("east", 1.0, "east", "west")], {EAST: 4.0, WEST: 4.0}, load)
    assert placed[EAST].get(EAST, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert load[WEST] == pytest.approx(1.0)


def test_requests_are_spread_over_the_pool_however_few_they_are() -> None:
    tables = POOLED.route(a_routing_problem(only(0.01), catalogue=WORLD))
    assert split(tables, EAST, Tier.INTERACTIVE_NORMAL) == (MILLION // 2, MILLION // 2, 0)


def test_more_than_all_regions_can_carry_is_spread_and_not_shed() -> None:
    rates = only(300.0) | {a_demand(tier=Tier.BATCH): 500.0}
    tables = POOLED.route(a_routing_problem(rates, catalogue=WORLD))
    assert split(tables, EAST, Tier.INTERACTIVE_NORMAL)[2] == 0
    assert split(tables, EAST, Tier.BATCH)[2] == 0


def test_regions_beyond_the_pool_are_left_alone_unless_the_plan_sends_there() -> None:
    problem = a_routing_problem(only(1.0), catalogue=WORLD)
    assert split(ALONE.route(problem), EAST, Tier.INTERACTIVE_NORMAL) == (MILLION, 0, 0)


def test_a_region_without_ready_replicas_gets_nothing_at_once() -> None:
    before = POOLED.route(a_routing_problem(only(1.0), catalogue=WORLD))
    gone = {pool.key: 0 if pool.key.region == WEST else 2 for pool in WORLD.pools}
    after = a_routing_problem(only(1.0), catalogue=WORLD, ready=gone, previous=before)
    assert split(POOLED.route(after), EAST, Tier.INTERACTIVE_NORMAL) == (MILLION, 0, 0)


def test_a_replica_more_moves_shares_towards_it() -> None:
    before = POOLED.route(a_routing_problem(only(1.0), catalogue=WORLD))
    more = {pool.key: 4 if pool.key.region == WEST else 2 for pool in WORLD.pools}
    problem = a_routing_problem(only(1.0), catalogue=WORLD, ready=more, previous=before)
    east, west, _ = split(replace(POOLED).route(problem), EAST, Tier.INTERACTIVE_NORMAL)
    assert (east, west) == pytest.approx((MILLION / 3, 2 * MILLION / 3), abs=2)
