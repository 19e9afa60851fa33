from dataclasses import replace
from datetime import timedelta

import pytest

from heliostat.catalogue.values import Price
from heliostat.model.names import RegionName, Tier, VmTypeName
from simulation.accounting import Accountant
from simulation.arrivals import ArrivalRates, no_arrivals
from simulation.estate import Estate
from simulation.fluid.engine import FluidEngine
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool

EAST, SMALL = RegionName("east"), VmTypeName("small")
HOUR = timedelta(hours=1)


def an_estate(price: Price, standing: int) -> Estate:
    """One region's VMs of one type cost something, everything else is free."""
    catalogue = a_catalogue()
    free = dict.fromkeys(catalogue.prices, Price(on_demand=0.0))
    catalogue = replace(catalogue, prices={**free, (EAST, SMALL): price})
    arrivals = ArrivalRates(start=NOON, by_demand={a_demand(): no_arrivals(60)})
    estate = Estate(catalogue=catalogue, engine=FluidEngine(catalogue, arrivals), seed=1)
    estate.stand({a_pool(): standing}, NOON)
    return estate


def dollars_of_an_hour(price: Price, standing: int) -> float:
    accountant = Accountant(an_estate(price, standing))
    for minute in range(1, 61):
        accountant.close_minute(NOON + MINUTE * minute)
    return accountant.accounts(NOON + HOUR).cost_dollars


@pytest.mark.parametrize(("standing", "dollars"), [(1, 24.0), (2, 24.0), (5, 24.0 + 3 * 20.0)])
def test_reserved_vms_are_paid_whether_they_stand_or_not(standing: int, dollars: float) -> None:
    price = Price(on_demand=20.0, reserved=12.0, reserved_vms=2)
    assert dollars_of_an_hour(price, standing) == pytest.approx(dollars)


def test_a_vm_is_paid_from_the_clouds_accept_to_its_release() -> None:
    estate = an_estate(Price(on_demand=60.0), 0)
    region, accountant = estate.regions[EAST], Accountant(estate)
    replica = region.buy(a_pool(), "c1", NOON)
    accountant.close_minute(NOON + MINUTE)
    region.release(replica, "c2", NOON + MINUTE)
    accountant.close_minute(NOON + 2 * MINUTE)
    accounts = accountant.accounts(NOON + 2 * MINUTE)
    assert accounts.cost_dollars == pytest.approx(1.0)
    assert accounts.gpu_hours_billed == pytest.approx(8 / 60)
    assert accounts.scaling_overhead_gpu_hours == accounts.gpu_hours_billed
    assert (accounts.scale_events["bought"], accounts.scale_events["released"]) == (1, 1)


def test_without_requests_there_is_no_attainment() -> None:
    accounts = Accountant(an_estate(Price(on_demand=1.0), 1)).accounts(NOON)
    assert accounts.slo_attainment_overall is None
    assert accounts.slo_attainment == dict.fromkeys(Tier)
