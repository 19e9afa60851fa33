"""Requests go where the gateways' tables say, and where no replica is ready, where they fall back to."""

from __future__ import annotations

import numpy as np
import pytest

from heliostat.model.names import RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from simulation.clients import Clients, RetryRule
from simulation.engine import Change
from simulation.local_policy import LocalPolicy, StaticBatchSize
from tests.builders import MINUTE, NOON, a_demand, a_pool
from tests.simulation.event.builders import (
    BATCH,
    NORMAL,
    Listed,
    Run,
    change,
    columns,
    ready,
    seconds,
)

EAST, WEST = RegionName("east"), RegionName("west")
IN_WEST = [change("west-0", Change.READY, pool=a_pool(region="west"))]


def a_table(
    east: int, west: int, *, tier: Tier = Tier.INTERACTIVE_NORMAL, fallback: tuple[str, ...] = ()
) -> dict[RegionName, RoutingTable]:
    shares = tuple(
        RouteShare(serving=region, weight_ppm=weight, ingress_endpoint="")
        for region, weight in ((EAST, east), (WEST, west))
        if weight
    )
    entry = RouteEntry(
        model=a_demand().model,
        tier=tier,
        shares=shares,
        shed_ppm=MILLION - east - west,
        fallback=tuple(RegionName(name) for name in fallback),
    )
    table = RoutingTable(origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(entry,))
    return {EAST: table}


def evenly(count: int, minutes: int = 2, demand: int = 1) -> Listed:
    arrival = np.linspace(0, 60 * minutes, count, endpoint=False)
    return Listed(columns(arrival, 100, 10, demand), minutes + 2)


def served_in(run: Run, region: str) -> int:
    return sum(w.offered for w in run.windows.values() if w.series.serving == region)


def test_shares_are_those_of_the_table_and_the_rest_is_shed_at_home() -> None:
    count = 20_000
    changes = [
        *ready(8),
        *(change(f"w{n}", Change.READY, pool=a_pool(region="west")) for n in range(8)),
    ]
    run = Run(evenly(count, 20), changes, tables=a_table(500_000, 300_000))
    tally = run.engine.tallies()[NORMAL]
    # Four standard deviations of a binomial with so many draws.
    spread = 4 * (count * 0.25) ** 0.5
    assert tally.shed == pytest.approx(0.2 * count, abs=spread)
    assert served_in(run, "west") == pytest.approx(0.3 * count, abs=spread)
    assert run.total("rejected") == tally.shed


def test_a_gateway_that_never_got_a_table_serves_at_home() -> None:
    run = Run(evenly(100), ready(1) + IN_WEST)
    assert served_in(run, "east") == 100


def test_without_a_replica_at_home_or_a_table_the_nearest_region_serves() -> None:
    run = Run(evenly(100), IN_WEST)
    assert served_in(run, "west") == run.engine.tallies()[NORMAL].completed == 100


def test_a_region_without_a_ready_replica_is_replaced_by_the_tables_fall_back() -> None:
    replaced = Run(evenly(100), IN_WEST, tables=a_table(MILLION, 0, fallback=("west",)))
    assert replaced.engine.tallies()[NORMAL].completed == 100
    shed = Run(evenly(100), IN_WEST, tables=a_table(MILLION, 0))
    assert shed.engine.tallies()[NORMAL].shed == 100
    assert shed.total("rejected") == 100


def test_requests_served_elsewhere_pay_the_round_trip() -> None:
    home = Run(evenly(200), ready(1))
    away = Run(evenly(200), IN_WEST)
    medians = []
    for run in (home, away):
        latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
        assert latencies is not None
        medians.append((latencies.ttft.quantile(0.5), latencies.e2e.quantile(0.5)))
    for here, there in zip(*medians, strict=True):
        assert (there or 0) - (here or 0) == pytest.approx(0.066, abs=0.02)


def test_who_waits_where_the_last_replica_went_is_sent_on_in_the_next_step() -> None:
    source = Listed(columns([35.0], 100, 10), 3)
    changes = [*ready(1), *IN_WEST, change("vm-0", Change.FAILED, NOON + seconds(31))]
    run = Run(source, changes, tables=a_table(MILLION, 0, fallback=("west",)))
    tally = run.engine.tallies()[NORMAL]
    assert (tally.completed, tally.shed) == (1, 0)
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    assert 25 < (latencies.ttft.quantile(0.5) or 0) < 26


def test_batch_work_waits_for_a_replica_as_long_as_nobody_else_can_take_it() -> None:
    source = Listed(columns([10.0], 100, 10, 2), 6)
    changes = [*ready(1), change("vm-0", Change.FAILED, NOON + seconds(5))]
    comes_back = change("vm-1", Change.READY, NOON + seconds(200))
    run = Run(source, [*changes, comes_back])
    assert run.engine.tallies()[BATCH].completed == 1


def test_who_lost_the_last_replica_is_shed_where_the_table_sheds_though_others_have_one() -> None:
    count = 200
    source = Listed(columns(np.linspace(1, 20, count), 100, 1500, 2), 40)
    west = [change(f"w{n}", Change.READY, pool=a_pool(region="west")) for n in range(8)]
    lost = change("vm-0", Change.FAILED, NOON + seconds(25))
    policy = LocalPolicy(batch_size=StaticBatchSize(most=4), batch_admission=None)
    run = Run(source, [*ready(1), *west, lost], policy, tables={}, minutes=0)
    run.tables = a_table(0, 500_000, tier=Tier.BATCH)
    while run.now < NOON + 40 * MINUTE:
        run.go_on()
    tally = run.engine.tallies()[BATCH]
    assert tally.in_flight == 0
    assert tally.completed + tally.shed == count
    # Four standard deviations of a binomial with so many draws.
    assert tally.shed == pytest.approx(0.5 * count, abs=4 * (count * 0.25) ** 0.5)


def test_a_shed_request_comes_back_when_its_client_does_that_and_is_counted_once() -> None:
    source = Listed(columns([1.0, 2.0], 100, 10), 6)
    late = [change("vm-0", Change.READY, NOON + seconds(100))]
    clients = Clients(retries=RetryRule(most=3, back_off=seconds(40)))
    run = Run(source, late, LocalPolicy(), clients=clients)
    tally = run.engine.tallies()[NORMAL]
    assert (tally.offered, tally.completed, tally.shed) == (2, 2, 0)
    assert tally.retried == run.total("retried") == 6
    assert run.total("offered") == 8
    once = Clients(retries=RetryRule(most=1, back_off=seconds(40)))
    impatient = Run(source, late, LocalPolicy(), clients=once)
    assert impatient.engine.tallies()[NORMAL].shed == 2


def test_some_come_back_and_each_time_later() -> None:
    count = 2000
    source = Listed(columns(np.linspace(0, 20, count), 100, 10), 30)
    late = [change("vm-0", Change.READY, NOON + seconds(1700))]
    rule = RetryRule(most=2, back_off=seconds(60), probability=0.5, growth=3.0)
    run = Run(source, late, clients=Clients(retries=rule))
    tally = run.engine.tallies()[NORMAL]
    assert tally.shed == count
    # Half come back once, of these half again: three quarters of an attempt each.
    assert tally.retried == pytest.approx(0.75 * count, rel=0.08)
    minutes = {(window.start - NOON) // MINUTE for window in run.windows.values()}
    # The first attempt, 60 s after it, 180 s after that; no earlier than the next step.
    assert minutes == {0, 1, 4}
