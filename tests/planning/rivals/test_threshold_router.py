"""SageServe's 70 % rule taken request by request: home up to the threshold, the rest to the next."""

from __future__ import annotations

import pytest

from heliostat.model.names import DemandKey, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry
from planning.rivals.threshold_router import ThresholdRouter
from planning.throughput import throughput
from tests.builders import a_catalogue, a_demand, a_pool
from tests.planning.worlds import a_routing_problem

EAST, WEST = RegionName("east"), RegionName("west")
KEY = a_demand(tier=Tier.INTERACTIVE_NORMAL)


def theta() -> float:
    model = a_catalogue().model(KEY.model)
    spec = model.tier(KEY.tier)
    assert spec is not None
    return throughput(model, a_pool().vm_type, spec, model.assumed_mix(spec)).requests_per_second


def entry(
    busy: dict[DemandKey, float], ready: dict[str, int], threshold: float = 0.7
) -> RouteEntry:
    """East's entry, given busy replicas per demand and small replicas per region."""
    problem = a_routing_problem(
        {key: replicas * theta() for key, replicas in busy.items()},
        ready={a_pool(region=region): count for region, count in ready.items()},
    )
    tables = ThresholdRouter(threshold=threshold).route(problem)
    found = next(t for t in tables if t.origin == EAST).entry(KEY.model, KEY.tier)
    assert found is not None
    return found


def shares(found: RouteEntry) -> dict[RegionName, float]:
    return {share.serving: share.weight_ppm / MILLION for share in found.shares}


def test_below_the_threshold_everything_stays_at_home() -> None:
    assert shares(entry({KEY: 6.9}, {"east": 10, "west": 10})) == {EAST: 1.0}


def test_what_is_above_it_goes_to_the_next_region() -> None:
    found = shares(entry({KEY: 10.0}, {"east": 10, "west": 10}))
    assert found[EAST] == pytest.approx(0.7, abs=1e-5)
    assert found[WEST] == pytest.approx(0.3, abs=1e-5)


def test_the_next_region_serves_its_own_first() -> None:
    west = a_demand(origin="west", tier=Tier.INTERACTIVE_NORMAL)
    found = shares(entry({KEY: 8.0, west: 6.5}, {"east": 10, "west": 10}))
    assert found[WEST] == pytest.approx((0.5 + 0.25) / 8.0, abs=1e-5)


def test_when_all_are_above_it_the_rest_is_spread_by_replicas_and_nothing_is_shed() -> None:
    found = entry({KEY: 40.0}, {"east": 10, "west": 30})
    assert found.shed_ppm == 0
    split = shares(found)
    assert split[EAST] == pytest.approx((7 + 12 / 4) / 40, abs=1e-5)
    assert split[WEST] == pytest.approx((21 + 12 * 3 / 4) / 40, abs=1e-5)


def test_nothing_goes_where_nothing_is_ready() -> None:
    assert shares(entry({KEY: 40.0}, {"east": 1})) == {EAST: 1.0}
