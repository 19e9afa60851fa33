"""What an estate costs and keeps: every VM-second billed once, every request judged once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from heliostat.catalogue import Price
from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, RegionName, Tier, VmTypeName
from simulation.accounting import Accountant, summed
from simulation.arrivals import ArrivalRates
from simulation.engine import TierLatencies, TierTally
from simulation.estate import Estate
from simulation.fluid.engine import FluidEngine
from simulation.replica import BILLED, OVERHEAD, Stage
from simulation.stage_ledger import StageSeconds
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool
from tests.simulation.fakes import no_arrivals

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
    by_type = accounts.gpu_hours_billed_by_vm_type
    assert {name: hours for name, hours in by_type.items() if hours} == {
        a_pool().vm_type: accounts.gpu_hours_billed
    }
    assert accounts.scaling_overhead_gpu_hours == accounts.gpu_hours_billed
    assert (accounts.scale_events["bought"], accounts.scale_events["released"]) == (1, 1)


def test_without_requests_there_is_no_attainment() -> None:
    accounts = Accountant(an_estate(Price(on_demand=1.0), 1)).accounts(NOON)
    assert accounts.slo_attainment_overall is None
    assert accounts.slo_attainment == dict.fromkeys(Tier)


# --- lending, reachable promises, the strict bound ------------------------------------------------

FAST = Tier.INTERACTIVE_FAST


class ScriptedEstate(Estate):
    """Replicas were in these stages for so many seconds."""

    stages: Mapping[Stage, int] = {}

    def stage_seconds(self, now: datetime) -> StageSeconds:
        return StageSeconds({(a_pool(), stage): count for stage, count in self.stages.items()})


class ScriptedEngine(FluidEngine):
    """Requests went like this."""

    told: Mapping[DemandKey, TierTally] = {}
    first_tokens: tuple[float, ...] = ()

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        return self.told

    def latencies(self, tier: Tier) -> TierLatencies | None:
        empty = LatencySketch()
        return TierLatencies(ttft=LatencySketch.of(self.first_tokens), itl=empty, e2e=empty)


def scripted() -> tuple[ScriptedEstate, ScriptedEngine]:
    catalogue = a_catalogue()
    arrivals = ArrivalRates(start=NOON, by_demand={a_demand(): no_arrivals(60)})
    engine = ScriptedEngine(catalogue, arrivals)
    return ScriptedEstate(catalogue=catalogue, engine=engine, seed=1), engine


def test_a_lent_vm_is_billed_at_zero_credit_and_is_neither_overhead_nor_idle() -> None:
    estate, _ = scripted()
    estate.stages = {Stage.READY: 3600, Stage.LENT: 7200, Stage.LOADING: 900}
    accounts = Accountant(estate).accounts(NOON + HOUR)
    assert accounts.gpu_hours_lent == pytest.approx(16.0)
    assert accounts.gpu_hours_billed == pytest.approx(26.0)
    assert accounts.scaling_overhead_gpu_hours == pytest.approx(2.0)
    assert accounts.idle_gpu_hours == pytest.approx(8.0)


def test_every_stage_is_billed_once_and_counted_once() -> None:
    """billed = ready (work + idle) + overhead + lent."""
    assert {*BILLED} == {Stage.READY, Stage.LENT, *OVERHEAD}
    assert len(BILLED) == 2 + len(OVERHEAD) == len(Stage) - 1


def test_attainment_is_told_of_all_requests_and_of_the_reachable_ones() -> None:
    estate, engine = scripted()
    engine.told = {
        a_demand(tier=FAST): TierTally(offered=100, shed=10, started=90, met=60, reachable=80),
        a_demand(): TierTally(offered=100, started=100, met=100, reachable=100),
    }
    accounts = Accountant(estate).accounts(NOON)
    assert accounts.slo_attainment[FAST] == pytest.approx(0.6)
    assert accounts.slo_attainment_reachable[FAST] == pytest.approx(0.75)
    assert accounts.slo_attainment_overall == pytest.approx(0.8)
    assert accounts.slo_attainment_reachable_overall == pytest.approx(160 / 180)
    assert accounts.slo_attainment_reachable[Tier.BATCH] is None


def test_what_is_not_measured_of_some_requests_is_not_told_of_all() -> None:
    quiet, silent = TierTally(), TierTally(offered=5, started=5, met=5)
    measured = TierTally(offered=5, started=5, met=4, reachable=4)
    assert summed([quiet, measured]).reachable == 4
    assert summed([silent, measured]).reachable is None


def test_the_strict_bound_counts_shed_requests_as_missed() -> None:
    estate, engine = scripted()
    engine.told = {a_demand(tier=FAST): TierTally(offered=8, admitted=4, shed=4, started=4.0)}
    engine.first_tokens = (0.2, 0.5, 0.9, 3.0)
    assert Accountant(estate).accounts(NOON).strict_ttft_attainment == pytest.approx(3 / 8)
    engine.told = {a_demand(tier=Tier.BATCH): TierTally(offered=8, started=8)}
    assert Accountant(estate).accounts(NOON).strict_ttft_attainment is None


def test_what_gave_way_is_counted_over_all_tiers() -> None:
    estate, engine = scripted()
    engine.told = {
        a_demand(): TierTally(evicted=2, preempted=1, retried=3, lost=1),
        a_demand(tier=Tier.BATCH): TierTally(evicted=5),
    }
    accounts = Accountant(estate).accounts(NOON)
    assert (accounts.evictions, accounts.preemptions) == (7, 1)
    assert (accounts.retried, accounts.lost) == (3, 1)


def test_events_that_only_some_clouds_know_are_told_beside_the_usual_ones() -> None:
    estate, _ = scripted()
    estate.regions[EAST].books.happened["taken back"] += 2
    events = Accountant(estate).accounts(NOON).scale_events
    assert events == {
        "bought": 0,
        "redeployed": 0,
        "released": 0,
        "failed": 0,
        "refused": 0,
        "taken back": 2,
    }
