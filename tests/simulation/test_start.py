"""The fleet that every policy starts from: it carries the first hour, within quotas."""

from datetime import timedelta

import numpy as np

from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.start import USABLE_SHARE, first_fleet
from simulation.workload.sizing import replica_seconds
from tests.builders import NOON, a_catalogue, a_demand, a_pool, catalogue_mapping


def steady(requests_per_minute: float) -> ArrivalRates:
    offered = np.full(120, requests_per_minute)
    columns = MinuteArrivals(
        offered=offered, input_tokens=offered * 1000, output_tokens=offered * 100
    )
    return ArrivalRates(start=NOON, by_demand={a_demand(): columns})


def test_the_first_fleet_carries_the_first_hour_at_home() -> None:
    catalogue = a_catalogue()
    fleet = first_fleet(catalogue, steady(600.0), NOON)
    tier = catalogue.model("alpha").tier(a_demand().tier)
    assert tier is not None
    law = catalogue.law(a_pool().model, a_pool().vm_type)
    busy = 10 * replica_seconds(law, (1000.0, 100.0), tier.slo.itl_seconds)
    replicas = fleet[a_pool()] + fleet[a_pool(vm_type="big")]
    assert busy / USABLE_SHARE <= replicas <= busy / USABLE_SHARE + 2


def test_every_pool_has_its_minimum() -> None:
    fleet = first_fleet(a_catalogue(), steady(0.0), NOON)
    assert set(fleet.values()) == {1}
    assert set(fleet) == {pool.key for pool in a_catalogue().pools}


def test_quotas_hold_from_the_start() -> None:
    mapping = catalogue_mapping()
    for offers in mapping["regions"][0]["vm_types"].values():
        offers["quota"] = 4
    fleet = first_fleet(a_catalogue(mapping), steady(60_000.0), NOON)
    for vm_type in ("small", "big"):
        standing = [n for p, n in fleet.items() if (p.region, p.vm_type) == ("east", vm_type)]
        assert sum(standing) <= 4


def test_demand_after_the_first_hour_does_not_matter() -> None:
    calm, wild = steady(60.0), steady(60.0)
    wild.by_demand[a_demand()].offered[60:] = 10_000
    assert first_fleet(a_catalogue(), wild, NOON) == first_fleet(a_catalogue(), calm, NOON)
    later = first_fleet(a_catalogue(), wild, NOON + timedelta(hours=1))
    assert sum(later.values()) > sum(first_fleet(a_catalogue(), calm, NOON).values())
