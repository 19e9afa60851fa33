"""What every Router keeps, whoever decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.loops.sound import check_tables
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, ReplicaEndpoint, Signal
from heliostat.model.governance import Mode
from heliostat.model.names import DemandKey, RegionName, Tier
from heliostat.model.plan import CapacityPlan
from heliostat.model.routing import MILLION
from heliostat.ports.deciding import Router
from planning.planner import HeliostatPlanner
from planning.rivals.baseline_routers import NearestRouter, SeventyPercentRouter
from planning.rivals.threshold_router import ThresholdRouter
from planning.routing.router import WaterFillingRouter
from tests.builders import NOON, a_catalogue, a_fleet, a_pool, catalogue_mapping
from tests.planning.worlds import a_problem, a_routing_problem, all_keys

ROUTERS: dict[str, Router] = {
    "water-filling": WaterFillingRouter(),
    "nearest": NearestRouter(),
    "seventy-percent": SeventyPercentRouter(),
    "threshold": ThresholdRouter(),
}
WORLD = a_catalogue()
PLAN: CapacityPlan = HeliostatPlanner().plan(a_problem(8.0, catalogue=WORLD))


@pytest.fixture(params=ROUTERS, name="router")
def any_router(request: pytest.FixtureRequest) -> Router:
    return ROUTERS[request.param]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Any fleet of the small catalogue: any readiness, utilisation and freshness."""
    states = []
    for pool in WORLD.pools:
        if draw(st.integers(0, 5)) == 0:
            continue
        states.append(
            PoolState(
                observation=PoolObservation(
                    pool=pool.key,
                    ready=draw(st.integers(0, 6)),
                    provisioning=draw(st.integers(0, 3)),
                    utilisation=draw(st.none() | st.floats(0, 1.5)),
                ),
                observed_at=NOON,
                signal=draw(st.sampled_from(Signal)),
            )
        )
    return Fleet(at=NOON, pools=tuple(states))


def rates() -> st.SearchStrategy[dict[object, float]]:
    """Any demand from none to far too much."""
    return st.fixed_dictionaries(
        {key: st.sampled_from([0.0, 0.01, 0.7, 3.0, 40.0, 1000.0]) for key in all_keys(WORLD)}
    )


@pytest.mark.parametrize("name", ROUTERS)
@given(
    first=fleets(),
    second=fleets(),
    demand=rates(),
    mode=st.sampled_from(Mode),
    measured=st.booleans(),
    with_plan=st.booleans(),
)
def test_tables_are_whole_consistent_and_send_nothing_to_the_unready(
    name: str,
    first: Fleet,
    second: Fleet,
    demand: dict[DemandKey, float],
    mode: Mode,
    measured: bool,
    with_plan: bool,
) -> None:
    router, plan = ROUTERS[name], PLAN if with_plan else None
    problem = a_routing_problem(demand, catalogue=WORLD, fleet=first, plan=plan)
    before = router.route(problem)
    later = a_routing_problem(
        demand, catalogue=WORLD, fleet=second, plan=plan, mode=mode, measured=measured
    )
    for tables, fleet, modes in (
        (before, first, problem.modes),
        (router.route(replace(later, previous=before)), second, later.modes),
    ):
        check_tables(tables, WORLD, fleet, modes)
        assert {table.origin for table in tables} == {region.name for region in WORLD.regions}
        for table in tables:
            seen = {state.observation.pool.region for state in fleet.pools}
            assert {(e.model, e.tier) for e in table.entries} == {
                (m.name, t.tier)
                for m in WORLD.models
                for t in m.tiers
                if any(WORLD.may_serve(table.origin, name, m.name, t.tier) for name in seen)
            }
            for entry in table.entries:
                assert sum(s.weight_ppm for s in entry.shares) + entry.shed_ppm == MILLION
                assert all(share.weight_ppm > 0 for share in entry.shares)
                assert entry.reason
                assert all(
                    WORLD.may_serve(table.origin, s.serving, entry.model, entry.tier)
                    for s in entry.shares
                )


def three_regions() -> dict[str, Any]:
    """The small catalogue with a third region, which east reaches sooner than west."""
    told = catalogue_mapping()
    told["regions"].append(
        told["regions"][1] | {"name": "mid", "ingress_endpoint": "127.0.0.1:18003"}
    )
    told["round_trip_ms"] = {
        "east": {"east": 4, "west": 70, "mid": 20},
        "west": {"west": 4, "mid": 60},
        "mid": {"mid": 4},
    }
    return told


def tight() -> dict[str, Any]:
    """The small catalogue where nobody may serve another region's requests."""
    told = catalogue_mapping()
    for model in told["models"]:
        for tier in model["tiers"].values():
            tier["latency_budget_ms"] = 50
    return told


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("home_ready", [0, 3])
@pytest.mark.parametrize(
    ("before", "after", "elsewhere"),
    [(three_regions(), catalogue_mapping(), "mid"), (catalogue_mapping(), tight(), "west")],
    ids=["a region is taken out", "a region may serve no other any more"],
)
def test_tables_of_an_older_catalogue_stop_nobody(
    router: Router,
    before: dict[str, Any],
    after: dict[str, Any],
    elsewhere: str,
    home_ready: int,
    mode: Mode,
) -> None:
    old, new = a_catalogue(before), a_catalogue(after)
    only_there = a_fleet({p.key: 3 if p.key.region == elsewhere else 0 for p in old.pools})
    previous = router.route(a_routing_problem(4.0, catalogue=old, fleet=only_there))
    assert any(
        share.serving == elsewhere for entry in previous[0].entries for share in entry.shares
    )
    fleet = a_fleet({p.key: home_ready for p in new.pools})
    problem = a_routing_problem(4.0, catalogue=new, fleet=fleet, mode=mode)
    tables = router.route(replace(problem, previous=previous))
    check_tables(tables, new, fleet, problem.modes)
    assert {table.origin for table in tables} == {region.name for region in new.regions}


def test_the_same_problem_gets_the_same_tables(router: Router) -> None:
    tables = router.route(a_routing_problem(plan=PLAN))
    assert tables
    assert router.route(a_routing_problem(plan=PLAN)) == tables


def test_a_model_without_ready_replicas_sheds_everything_and_says_why(router: Router) -> None:
    tables = router.route(a_routing_problem(ready=0))
    assert tables
    for table in tables:
        assert table.entries
        for entry in table.entries:
            assert (entry.shares, entry.shed_ppm) == ((), MILLION)
            assert "no ready replica" in entry.reason


def test_where_nobody_reported_yet_no_table_steers(router: Router) -> None:
    for mode in Mode:
        problem = a_routing_problem(fleet=Fleet(at=NOON, pools=()), mode=mode, plan=PLAN)
        assert [table.entries for table in router.route(problem)] == [(), ()]


def test_a_region_that_reported_and_one_that_did_not_are_two_reasons(router: Router) -> None:
    empty = a_fleet({pool.key: 0 for pool in WORLD.pools})
    west_only = tuple(s for s in empty.pools if s.observation.pool.region == "west")
    tables = router.route(a_routing_problem(fleet=replace(empty, pools=west_only)))
    assert tables
    for table in tables:
        assert table.entries
        for entry in table.entries:
            assert entry.shed_ppm == MILLION
            assert "no reports yet from east" in entry.reason


def test_an_advisory_origin_is_served_at_home(router: Router) -> None:
    problem = a_routing_problem(500.0, plan=PLAN, mode=Mode.ADVISORY)
    tables = router.route(problem)
    assert tables
    for table in tables:
        assert table.entries
        assert all(entry.weight(table.origin) == MILLION for entry in table.entries)


def test_an_advisory_origin_without_known_replicas_is_served_at_home_and_says_why(
    router: Router,
) -> None:
    ready = {p.key: (0 if p.key.region == "east" else 2) for p in WORLD.pools}
    problem = a_routing_problem(ready=ready, mode=Mode.ADVISORY)
    east = next(t for t in router.route(problem) if t.origin == "east")
    assert east.entries
    for entry in east.entries:
        assert entry.weight(east.origin) == MILLION
        assert "no ready replica" in entry.reason
        assert entry.fallback == ("west",), "where the gateway goes when home fails"


@pytest.mark.parametrize("mode", [Mode.ADVISORY, Mode.PAUSED])
def test_only_an_active_origin_sheds_for_want_of_ready_replicas(router: Router, mode: Mode) -> None:
    shed = router.route(a_routing_problem(ready=0))
    for previous in ((), shed):
        tables = router.route(a_routing_problem(ready=0, mode=mode, previous=previous))
        assert tables
        for table in tables:
            assert table.entries
            for entry in table.entries:
                assert (entry.weight(table.origin), entry.shed_ppm) == (MILLION, 0)
                assert "served at home, though no ready replica" in entry.reason


def test_a_paused_origin_whose_regions_have_nothing_ready_keeps_its_entries(router: Router) -> None:
    ready = {p.key: (0 if p.key.region == "east" else 2) for p in WORLD.pools}
    before = router.route(a_routing_problem(ready=ready, plan=PLAN))
    unready = a_routing_problem(ready=0, mode=Mode.PAUSED, previous=before)
    assert before
    for old, new in zip(before, router.route(unready), strict=True):
        assert old.entries
        assert [e.shares for e in old.entries] == [e.shares for e in new.entries]
        assert all("is kept, though no ready replica" in e.reason for e in new.entries)


def test_an_advisory_origin_that_residency_forbids_goes_to_the_nearest_that_may(
    router: Router,
) -> None:
    data = catalogue_mapping()
    data["regions"][1]["residency"] = ["there"]
    for model in data["models"]:
        model["tiers"] = {
            name: {**tier, "residency": ["there"]} for name, tier in model["tiers"].items()
        }
    world = a_catalogue(data)
    for ready in (0, 2):
        problem = a_routing_problem(ready=ready, catalogue=world, mode=Mode.ADVISORY)
        tables = router.route(problem)
        assert tables
        for table in tables:
            assert table.entries
            assert all(entry.weight(RegionName("west")) == MILLION for entry in table.entries)


def test_a_paused_origin_keeps_its_entries(router: Router) -> None:
    before = router.route(a_routing_problem(plan=PLAN))
    moved = a_fleet({p.key: 1 for p in WORLD.pools}, utilisation=0.99)
    paused = a_routing_problem(900.0, fleet=moved, mode=Mode.PAUSED, previous=before)
    assert before
    for old, new in zip(before, router.route(paused), strict=True):
        assert old.entries
        assert [e.shares for e in old.entries] == [e.shares for e in new.entries]


def test_a_table_lists_its_own_regions_replicas_only(router: Router) -> None:
    here = ReplicaEndpoint(replica_id="r-1", pool=a_pool("east"), address="10.0.0.1:8000")
    there = ReplicaEndpoint(replica_id="r-2", pool=a_pool("west"), address="10.1.0.1:8000")
    fleet = replace(a_fleet({p.key: 2 for p in WORLD.pools}), replicas=(here, there))
    tables = {t.origin: t for t in router.route(a_routing_problem(fleet=fleet))}
    assert tables[a_pool("east").region].replicas == (here,)
    assert tables[a_pool("west").region].replicas == (there,)


def test_fallback_names_regions_that_can_serve_nearest_first(router: Router) -> None:
    tables = router.route(a_routing_problem())
    assert tables
    for table in tables:
        assert table.entries
        for entry in table.entries:
            assert entry.fallback[0] == table.origin
            assert len(entry.fallback) == 2


def test_tiers_are_kept_apart(router: Router) -> None:
    tables = router.route(a_routing_problem())
    assert tables
    for table in tables:
        assert {entry.tier for entry in table.entries} == set(Tier)
