"""How the house's router corrects, damps and sheds, and what its rivals do instead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.fleet import Signal
from heliostat.model.names import DemandKey, RegionName, Tier
from heliostat.model.plan import CapacityPlan, Flow
from heliostat.model.routing import MILLION, RoutingTable
from planning.planner import HeliostatPlanner
from planning.rivals.baseline_routers import NearestRouter, SeventyPercentRouter
from planning.routing.entries import damped, to_ppm
from planning.routing.router import WaterFillingRouter
from tests.builders import a_catalogue, a_demand, a_fleet
from tests.planning.worlds import a_problem, a_routing_problem, all_keys

WORLD = a_catalogue()
EAST, WEST = RegionName("east"), RegionName("west")
ROUTER = WaterFillingRouter(pooled_within=None)
NORMAL = a_demand()


def weights(
    tables: tuple[RoutingTable, ...], tier: Tier = Tier.INTERACTIVE_NORMAL
) -> tuple[int, int, int]:
    """East's shares of model alpha: to east, to west, shed."""
    entry = next(t for t in tables if t.origin == EAST).entry(NORMAL.model, tier)
    assert entry is not None
    return entry.weight(EAST), entry.weight(WEST), entry.shed_ppm


def only(rate: float, tier: Tier = Tier.INTERACTIVE_NORMAL) -> dict[DemandKey, float]:
    """East asks for model alpha, nobody else wants anything."""
    return dict.fromkeys(all_keys(WORLD), 0.0) | {a_demand(tier=tier): rate}


def planned(east: float, west: float) -> CapacityPlan:
    """A plan that serves east's demand in those proportions."""
    plan = HeliostatPlanner().plan(a_problem(1.0, catalogue=WORLD))
    vm_type = WORLD.vm_types[0].name
    flows = tuple(
        Flow(demand=NORMAL, serving=region, vm_type=vm_type, requests_per_second=rate)
        for region, rate in ((EAST, east), (WEST, west))
    )
    return replace(plan, flows=flows)


@given(
    st.dictionaries(
        st.sampled_from([RegionName(n) for n in "abcdefgh"]),
        st.floats(1e-9, 1e9),
        min_size=1,
    )
)
def test_parts_per_million_add_up_exactly_and_stay_near(split: dict[RegionName, float]) -> None:
    ppm = to_ppm(split)
    assert sum(ppm.values()) == MILLION
    total = sum(split.values())
    assert all(abs(ppm.get(n, 0) - MILLION * s / total) <= 1 for n, s in split.items())


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_damped_move_is_small_and_goes_the_right_way(before: float, wanted: float) -> None:
    def split(share: float) -> dict[RegionName, float]:
        return {EAST: share, WEST: 1 - share}

    after = damped(split(before), split(wanted), largest_move=0.25, hysteresis=0.02)
    moved = after[EAST] - before
    assert abs(moved) <= 0.25 + 1e-9
    assert moved == 0 or (moved > 0) == (wanted > before)
    assert sum(after.values()) == pytest.approx(1.0)


def test_shares_follow_the_plan() -> None:
    problem = a_routing_problem(only(1.0), plan=planned(3.0, 1.0), catalogue=WORLD)
    east, west, shed = weights(ROUTER.route(problem))
    assert (east, west, shed) == (750_000, 250_000, 0)


def test_without_a_plan_requests_stay_at_home() -> None:
    assert weights(ROUTER.route(a_routing_problem(only(1.0), catalogue=WORLD))) == (MILLION, 0, 0)


def test_what_home_cannot_hold_goes_to_the_neighbour() -> None:
    east, west, shed = weights(ROUTER.route(a_routing_problem(only(22.0), catalogue=WORLD)))
    assert shed == 0
    assert 0 < west < east


def test_requests_are_shed_only_when_no_region_can_carry_them() -> None:
    _, _, enough = weights(ROUTER.route(a_routing_problem(only(30.0), catalogue=WORLD)))
    east, west, short = weights(ROUTER.route(a_routing_problem(only(300.0), catalogue=WORLD)))
    assert enough == 0
    assert short > MILLION // 2
    assert east > 0
    assert west > 0


def test_batch_is_shed_before_interactive_requests() -> None:
    rates = only(15.0) | {a_demand(tier=Tier.BATCH): 500.0}
    tables = ROUTER.route(a_routing_problem(rates, catalogue=WORLD))
    assert weights(tables)[2] == 0
    assert weights(tables, Tier.BATCH)[2] > MILLION // 2


def test_a_region_that_is_busier_than_explained_gets_less() -> None:
    calm = ROUTER.route(a_routing_problem(only(11.0), catalogue=WORLD))
    ready = {pool.key: 2 for pool in WORLD.pools}
    hot = a_fleet(ready, utilisation=1.2)
    later = a_routing_problem(only(11.0), catalogue=WORLD, fleet=hot, previous=calm)
    assert weights(ROUTER.route(later))[0] < weights(calm)[0]


def test_a_large_move_takes_several_steps_and_arrives() -> None:
    tables = ROUTER.route(a_routing_problem(only(1.0), plan=planned(1.0, 0.0), catalogue=WORLD))
    shares = []
    for _ in range(6):
        problem = a_routing_problem(
            only(1.0), plan=planned(0.0, 1.0), catalogue=WORLD, previous=tables
        )
        tables = ROUTER.route(problem)
        shares.append(weights(tables)[1])
    assert shares[:4] == [250_000, 500_000, 750_000, MILLION]
    assert shares[-1] == MILLION


def test_a_small_difference_changes_nothing() -> None:
    tables = ROUTER.route(a_routing_problem(only(1.0), plan=planned(5.0, 5.0), catalogue=WORLD))
    nudged = a_routing_problem(only(1.0), plan=planned(5.1, 4.9), catalogue=WORLD, previous=tables)
    again = ROUTER.route(nudged)
    assert all(a.same_routes(b) for a, b in zip(tables, again, strict=True))


def test_an_entry_is_kept_as_it_is_while_it_says_the_same() -> None:
    problem = a_routing_problem(only(22.0), catalogue=WORLD)
    first = ROUTER.route(problem)
    steady = ROUTER.route(replace(problem, previous=first))
    assert all(
        entry is before
        for table, last in zip(steady, first, strict=True)
        for entry, before in zip(table.entries, last.entries, strict=True)
    )


def test_an_entry_is_made_anew_where_an_ingress_moved() -> None:
    problem = a_routing_problem(only(22.0), catalogue=WORLD)
    moved = tuple(
        replace(
            table,
            entries=tuple(
                replace(
                    entry,
                    shares=tuple(
                        replace(share, ingress_endpoint="https://moved.example")
                        for share in entry.shares
                    ),
                )
                for entry in table.entries
            ),
        )
        for table in ROUTER.route(problem)
    )
    for table in ROUTER.route(replace(problem, previous=moved)):
        for entry in table.entries:
            for share in entry.shares:
                assert share.ingress_endpoint == WORLD.region(share.serving).ingress_endpoint


def test_a_region_without_ready_replicas_is_left_at_once() -> None:
    tables = ROUTER.route(a_routing_problem(only(1.0), plan=planned(5.0, 5.0), catalogue=WORLD))
    ready = {p.key: (0 if p.key.region == WEST else 2) for p in WORLD.pools}
    gone = a_routing_problem(only(1.0), ready=ready, plan=planned(5.0, 5.0), previous=tables)
    assert weights(ROUTER.route(gone)) == (MILLION, 0, 0)


@pytest.mark.parametrize("signal", [Signal.STALE, Signal.MISSING])
def test_old_fleet_data_keeps_the_last_entry(signal: Signal) -> None:
    tables = ROUTER.route(a_routing_problem(only(1.0), plan=planned(3.0, 1.0), catalogue=WORLD))
    old = a_fleet({pool.key: 2 for pool in WORLD.pools}, signal=signal, utilisation=0.99)
    later = a_routing_problem(only(90.0), fleet=old, plan=planned(0.0, 1.0), previous=tables)
    assert weights(ROUTER.route(later)) == weights(tables)


def test_unmeasured_demand_keeps_the_last_entry() -> None:
    tables = ROUTER.route(a_routing_problem(only(1.0), plan=planned(3.0, 1.0), catalogue=WORLD))
    later = a_routing_problem(
        only(900.0), measured=False, plan=planned(0.0, 1.0), previous=tables, catalogue=WORLD
    )
    assert weights(ROUTER.route(later)) == weights(tables)


def test_an_entry_that_shed_everything_recovers_on_any_data() -> None:
    dark = ROUTER.route(a_routing_problem(only(1.0), ready=0))
    assert weights(dark) == (0, 0, MILLION)
    light = a_routing_problem(only(1.0), measured=False, previous=dark, catalogue=WORLD)
    assert weights(ROUTER.route(light))[2] == 0


def test_the_seventy_percent_rule_takes_the_first_region_below_it() -> None:
    ready = {pool.key: 2 for pool in WORLD.pools}
    fleet = a_fleet(ready, utilisation=0.9)
    cool = tuple(
        replace(state, observation=replace(state.observation, utilisation=0.2))
        if state.observation.pool.region == WEST
        else state
        for state in fleet.pools
    )
    half = replace(fleet, pools=cool)
    rule = SeventyPercentRouter()
    assert weights(rule.route(a_routing_problem(fleet=half)))[:2] == (0, MILLION)
    hot = tuple(
        replace(state, observation=replace(state.observation, utilisation=0.95))
        if state.observation.pool.region == WEST
        else state
        for state in fleet.pools
    )
    assert weights(rule.route(a_routing_problem(fleet=replace(fleet, pools=hot))))[0] == MILLION


def test_nearest_never_looks_at_load() -> None:
    assert weights(NearestRouter().route(a_routing_problem(only(9000.0))))[0] == MILLION
