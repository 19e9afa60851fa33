"""The simulated world: the real loops on simulated clouds."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from heliostat.loops.manual import ManualOrder
from heliostat.model.command import CommandState, RefusalKind, ScaleOrder
from heliostat.model.demand import BUCKET
from heliostat.model.fleet import Signal
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import RegionName, SeriesKey, Tier, TokenKind, VmTypeName
from heliostat.model.usage import UsageQuery
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.bootstrap import Policy, simulated_world
from simulation.policies.registry import PLUGINS, policy_named
from simulation.troubles import CloudTroubles, Shortage, TelemetryHole
from simulation.world import Rhythm, SimulatedWorld
from tests.builders import MINUTE, NOON, QUARTER, a_catalogue, a_demand, a_pool
from tests.simulation.fakes import plain_deciders

HOUR = timedelta(hours=1)
CATALOGUE = a_catalogue()
EAST = RegionName("east")


def arrivals(
    *, hours_before: int = 1, hours_after: int = 3, requests: float = 60, growth: float = 1.0
) -> ArrivalRates:
    """Both regions alike; from the beginning on `growth` times as much."""
    before, minutes = 60 * hours_before, 60 * (hours_before + hours_after)
    offered = np.full(minutes, requests)
    offered[before:] = round(requests * growth)
    columns = MinuteArrivals(
        offered=offered, input_tokens=offered * 1000, output_tokens=offered * 100
    )
    demands = [
        a_demand(origin=origin, tier=tier)
        for origin in ("east", "west")
        for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL)
    ]
    return ArrivalRates(start=NOON - HOUR * hours_before, by_demand=dict.fromkeys(demands, columns))


def a_world(demand: ArrivalRates | None = None, **changes: Any) -> SimulatedWorld:
    values: dict[str, Any] = {
        "catalogue": CATALOGUE,
        "arrivals": demand or arrivals(),
        "begins": NOON,
        "policy": Policy(deciders=plain_deciders(), rhythm=Rhythm()),
        "seed": 1,
    }
    return simulated_world(**(values | changes))


def report(world: SimulatedWorld) -> bytes:
    commands = world.stores.outbox.commands(limit=10_000)
    plans = world.stores.plans.plans(Span(NOON, NOON + timedelta(days=1)))
    told = [world.accounts().as_mapping(), [repr(c) for c in commands], [repr(p) for p in plans]]
    return json.dumps(told, sort_keys=True).encode()


def test_growing_demand_is_forecast_planned_bought_and_served() -> None:
    world = a_world(arrivals(growth=3.0))
    world.run_until(NOON + 2 * HOUR)
    accounts = world.accounts()
    applied = world.stores.outbox.commands(states=[CommandState.APPLIED])
    assert accounts.scale_events["bought"] > 0
    assert any(command.reason.endswith("forecast demand") for command in applied)
    assert accounts.offered == 2 * 2 * 120 * 180
    assert accounts.slo_attainment_overall is not None
    assert accounts.slo_attainment_overall > 0.5


def test_offered_is_admitted_or_shed_and_the_store_knows_every_request() -> None:
    world = a_world(arrivals(growth=8.0))
    world.run_until(NOON + HOUR)
    accounts = world.accounts()
    assert accounts.shed > 0
    assert accounts.offered == accounts.admitted + accounts.shed == 4 * 60 * 480
    world.run_until(NOON + HOUR + 2 * MINUTE)
    query = UsageQuery(span=Span(NOON, NOON + HOUR), with_latency=False)
    stored = world.stores.usage.query(query)
    assert sum(bucket.offered for bucket in stored) == accounts.offered
    assert sum(bucket.rejected for bucket in stored) == accounts.shed


@pytest.mark.parametrize("policy", sorted(PLUGINS))
def test_the_same_seed_gives_the_same_report_byte_for_byte(policy: str) -> None:
    def run() -> bytes:
        troubles = {EAST: CloudTroubles(refusal_probability=0.2, failures_per_day=2.0)}
        world = a_world(
            arrivals(growth=2.5), policy=policy_named(policy, CATALOGUE), troubles=troubles, seed=4
        )
        world.run_until(NOON + HOUR)
        return report(world)

    assert run() == run()


def test_another_seed_has_other_luck() -> None:
    def ready_instants(seed: int) -> list[object]:
        world = a_world(arrivals(growth=3.0), seed=seed)
        world.run_until(NOON + HOUR)
        return [s.ready_at for s in world.stores.fleet.lead_times(NOON)]

    assert ready_instants(1) != ready_instants(2)


def test_shed_load_does_not_lower_the_forecast() -> None:
    demand = arrivals(hours_before=24, requests=200)
    nothing_stands = a_world(demand, fleet={}, mode=Mode.ADVISORY)
    all_served = a_world(demand, fleet={a_pool(): 12, a_pool(region="west"): 12})
    for world in (nothing_stands, all_served):
        world.run_until(NOON + HOUR)
    assert nothing_stands.accounts().shed == nothing_stands.accounts().offered
    assert all_served.accounts().shed == 0
    key = SeriesKey(demand=a_demand(), kind=TokenKind.OUTPUT)

    def forecast(world: SimulatedWorld) -> float:
        return world.stores.forecasts.get(key, NOON + HOUR).mean[0][0]

    assert forecast(nothing_stands) == pytest.approx(forecast(all_served), rel=0.01)


def test_a_cloud_without_capacity_refuses_and_the_refusal_is_known_to_the_next_plan() -> None:
    shortage = Shortage(vm_type=VmTypeName("small"), span=Span(NOON, NOON + HOUR))
    world = a_world(arrivals(growth=3.0), troubles={EAST: CloudTroubles(shortages=(shortage,))})
    world.run_until(NOON + HOUR / 2)
    refused = world.stores.outbox.commands(states=[CommandState.REFUSED])
    assert {command.refusal for command in refused} == {RefusalKind.NO_CAPACITY}
    assert {command.region for command in refused} == {EAST}
    denials = world.stores.fleet.fleet(world.now).denials
    assert [(d.region, d.vm_type) for d in denials] == [(EAST, "small")]


def test_a_telemetry_hole_is_missing_demand_and_not_zero() -> None:
    quarter = Span(NOON + QUARTER, NOON + 2 * QUARTER)
    troubles = {EAST: CloudTroubles(telemetry_holes=(TelemetryHole(span=quarter),))}
    world = a_world(troubles=troubles)
    world.run_until(NOON + HOUR)
    series = world.stores.usage.demand(Span(NOON, NOON + HOUR), BUCKET)
    rates = {s.key: s.tokens_per_second for s in series}
    key = SeriesKey(demand=a_demand(), kind=TokenKind.INPUT)
    assert rates[key] == (1000.0, None, 1000.0, 1000.0)


@pytest.mark.parametrize(
    "trouble",
    [
        CloudTroubles(telemetry_delay=timedelta(minutes=30)),
        CloudTroubles(telemetry_holes=(TelemetryHole(span=Span(NOON + QUARTER, NOON + HOUR)),)),
    ],
    ids=["delay", "hole"],
)
def test_signals_are_stale_where_telemetry_is_late_or_missing(trouble: CloudTroubles) -> None:
    world = a_world(troubles={EAST: trouble})
    world.run_until(NOON + HOUR / 2)
    stale_after = CATALOGUE.guardrails.stale_after
    for pool in CATALOGUE.pools:
        fleet = world.stores.fleet.fleet(world.now).aged(world.now, stale_after)
        (seen,) = (one for one in fleet.pools if one.observation.pool == pool.key)
        assert (seen.signal is Signal.STALE) is (pool.key.region == EAST), pool.key


@pytest.mark.parametrize("policy", ["heliostat", "reactive", "lt-ua"])
@pytest.mark.parametrize(
    "trouble",
    [
        CloudTroubles(telemetry_holes=(TelemetryHole(span=Span(NOON, NOON + QUARTER)),)),
        CloudTroubles(api_outages=(Span(NOON, NOON + QUARTER),)),
    ],
    ids=["hole", "api outage"],
)
def test_a_run_may_begin_while_nobody_reports(policy: str, trouble: CloudTroubles) -> None:
    everywhere = {region.name: trouble for region in CATALOGUE.regions}
    fleet = {pool.key: 3 for pool in CATALOGUE.pools}
    world = a_world(troubles=everywhere, policy=policy_named(policy, CATALOGUE), fleet=fleet)
    world.run_until(NOON + 2 * QUARTER)
    accounts = world.accounts()
    assert accounts.offered > 0
    assert accounts.shed == 0


def test_a_manual_scale_survives_the_next_plans_of_the_house() -> None:
    world = a_world(arrivals(growth=1.0), policy=policy_named("heliostat", CATALOGUE))
    world.run_until(NOON + QUARTER)
    wanted = ManualOrder(
        order=ScaleOrder(pool=a_pool(), target_replicas=9),
        author="ops",
        reason="a launch",
        request_id="launch-1",
        expires_at=world.now + HOUR,
    )
    world.desk.order(wanted, world.now, epoch=world.epoch)
    world.run_until(NOON + 4 * QUARTER)
    assert world.stores.fleet.fleet(world.now).pool(a_pool()).desired == 9
    world.run_until(NOON + 8 * QUARTER)
    assert world.stores.fleet.fleet(world.now).pool(a_pool()).desired < 9


def test_a_manual_scale_ends_at_its_expiry_where_nothing_was_ever_forecast() -> None:
    house = policy_named("heliostat", CATALOGUE)
    blind = replace(house, rhythm=replace(house.rhythm, forecasts=None, scores=None))
    world = a_world(arrivals(hours_before=0), policy=blind, fleet={a_pool(): 2})
    world.run_until(NOON + QUARTER)
    order = ManualOrder(
        order=ScaleOrder(pool=a_pool(), target_replicas=9),
        author="ada",
        reason="a launch",
        request_id="launch-1",
        expires_at=world.now + HOUR,
    )
    world.desk.order(order, world.now, epoch=world.epoch)
    world.run_until(NOON + HOUR + 10 * MINUTE)
    assert world.stores.fleet.fleet(world.now).pool(a_pool()).ready == 9
    world.run_until(NOON + 2 * HOUR)
    assert world.stores.fleet.fleet(world.now).pool(a_pool()).standing == 2
    assert {plan.status for plan in world.stores.plans.plans(Span(NOON, world.now))} == {"floor"}
    ended = world.stores.outbox.commands(states=[CommandState.APPLIED])[-1]
    assert "the override by ada ended; back to the 2 of before it" in ended.reason


def test_an_advisory_world_decides_and_orders_nothing() -> None:
    world = a_world(arrivals(growth=3.0), mode=Mode.ADVISORY)
    world.run_until(NOON + HOUR)
    assert world.stores.plans.latest_plan() is not None
    assert world.stores.outbox.commands() == ()
    assert world.accounts().scale_events["bought"] == 0


def test_standing_still_costs_exactly_what_stands() -> None:
    fleet = {a_pool(): 3, a_pool(region="west", vm_type="big"): 2}
    world = a_world(fleet=fleet, mode=Mode.ADVISORY)
    world.run_until(NOON + 2 * HOUR)
    accounts = world.accounts()
    stood = accounts.gpu_hours_billed - accounts.gpu_hours_owed
    assert stood == pytest.approx(2 * 8 * 5)
    assert accounts.cost_dollars * stood / accounts.gpu_hours_billed == pytest.approx(
        2 * (3 * 20.0 + 2 * 50.0)
    )
    assert accounts.scaling_overhead_gpu_hours == 0
    assert 0 < accounts.idle_gpu_hours < accounts.gpu_hours_billed


def test_what_is_ordered_is_billed_before_it_is_ready() -> None:
    world = a_world(arrivals(growth=3.0))
    world.run_until(NOON + 2 * HOUR)
    accounts = world.accounts()
    lead = sum((s.lead_time for s in world.stores.fleet.lead_times(NOON)), timedelta(0))
    assert accounts.scaling_overhead_gpu_hours >= 8 * lead / HOUR > 0


def test_time_beyond_the_arrivals_is_refused_by_name() -> None:
    world = a_world(arrivals(hours_after=1))
    with pytest.raises(InvalidInput, match="no data for 2026-03-02T13:00"):
        world.run_until(NOON + 2 * HOUR)


def test_stopping_in_between_changes_nothing() -> None:
    at_once, in_steps = a_world(arrivals(growth=2.0)), a_world(arrivals(growth=2.0))
    at_once.run_until(NOON + HOUR)
    for minutes in (7, 8, 31, 60):
        in_steps.run_until(NOON + MINUTE * minutes)
    assert report(at_once) == report(in_steps)


def test_a_world_without_history_starts_from_the_floor_and_learns() -> None:
    demand = arrivals(hours_before=0)
    world = a_world(demand, policy=policy_named("heliostat", CATALOGUE), fleet={a_pool(): 1})
    world.run_until(NOON)
    first = world.stores.plans.latest_plan()
    assert first is not None
    assert first.status == "floor"
    world.run_until(NOON + HOUR)
    later = world.stores.plans.latest_plan()
    assert later is not None
    assert later.status == "solved"


def test_a_world_with_another_rhythm_reroutes_less_often() -> None:
    slow = Policy(deciders=plain_deciders(), rhythm=replace(Rhythm(), routes=timedelta(minutes=5)))
    world = a_world(policy=slow)
    world.run_until(NOON + 4 * MINUTE)
    versions = {table.valid_from for table in world.stores.routing.latest_tables()}
    assert versions == {NOON}


def test_tables_that_are_made_between_two_minutes_are_held_at_once() -> None:
    half = timedelta(seconds=30)
    often = Policy(deciders=plain_deciders(), rhythm=replace(Rhythm(), routes=half))
    world = a_world(policy=often)
    made = set()
    for at in world.steps(NOON + 20 * MINUTE):
        newest = {table.origin: table for table in world.stores.routing.latest_tables()}
        assert world.tables() == newest
        made |= {table.valid_from for table in newest.values() if table.valid_from == at}
    assert any(at.second for at in made)
