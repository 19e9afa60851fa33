"""What every fleet log promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import RegionHeld
from heliostat.model.fleet import (
    BacklogGroup,
    BatchBacklog,
    CapacityDenial,
    LeadTimeSample,
    PoolObservation,
    RegionObservation,
    RegionReport,
    ReplicaEndpoint,
    Signal,
    StartKind,
)
from heliostat.model.holding import AgentLife
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import RegionName
from tests.contracts.builders import EU, H100, QWEN, US, at, pool
from tests.contracts.worlds import World


def observation(
    minute: int = 0, region: RegionName = EU, *, ready: int = 2, **fields: Any
) -> RegionObservation:
    key = pool(region)
    return RegionObservation(
        region=region,
        observed_at=at(minute),
        pools=(
            PoolObservation(pool=key, desired=3, ready=ready, utilisation=1 / 3),
            PoolObservation(pool=pool(region, QWEN), draining=1),
        ),
        replicas=(ReplicaEndpoint(replica_id="r-1", pool=key, address="10.0.0.1:8000"),),
        **fields,
    )


def sample(minute: int = 0, seconds: int = 90) -> LeadTimeSample:
    return LeadTimeSample(
        pool=pool(),
        start_kind=StartKind.COLD,
        lead_time=timedelta(seconds=seconds, microseconds=1),
        ready_at=at(minute),
    )


def denial(minute: int = 0, until: int = 30, reason: str = "quota") -> CapacityDenial:
    return CapacityDenial(
        region=EU, vm_type=H100, reason=reason, at=at(minute), until=at(until), most_replicas=4
    )


def test_a_measured_batch_backlog_is_part_of_the_fleet(world: World) -> None:
    waiting = BatchBacklog(region=EU, model=QWEN, groups=(BacklogGroup(due=at(90), requests=7),))
    world.stores.fleet.observe(observation(batch_backlog=(waiting,)), at(6))
    world.stores.fleet.observe(observation(region=US), at(6))
    assert world.stores.fleet.fleet(at(1)).batch_backlog == (waiting,)


def test_a_backlog_outlives_the_control_plane_and_goes_with_its_observation(world: World) -> None:
    waiting = BatchBacklog(region=EU, model=QWEN, groups=(BacklogGroup(due=at(90), requests=7),))
    nothing = BatchBacklog(region=US, model=QWEN)
    world.stores.fleet.observe(observation(batch_backlog=(waiting,)), at(6))
    world.stores.fleet.observe(observation(region=US, batch_backlog=(nothing,)), at(6))
    again = world.open_again().fleet
    assert again.fleet(at(1)).batch_backlog == (waiting, nothing)
    again.observe(observation(2), at(6))
    assert again.fleet(at(2)).batch_backlog == (nothing,), "no value is not a value of none"


def test_vms_that_an_agent_does_not_know_are_listed_until_it_knows_them(world: World) -> None:
    log = world.stores.fleet
    log.observe(observation(1, unknown_vms=("i-1", "i-2")), at(6))
    log.observe(observation(2, US), at(6))
    again = world.open_again().fleet
    assert again.fleet(at(6)).reports == (
        RegionReport(region=EU, observed_at=at(1), unknown_vms=("i-1", "i-2")),
        RegionReport(region=US, observed_at=at(2)),
    )
    again.observe(observation(3), at(6))
    assert [report.unknown_vms for report in again.fleet(at(6)).reports] == [(), ()]


def test_laws_that_agents_refitted_are_part_of_the_fleet(world: World) -> None:
    law = MeasuredLaw(
        pool=pool(),
        prefill_base=0.01,
        prefill_per_token=1e-4,
        prefill_per_token_beyond_knee=0.0,
        decode_base=0.02,
        decode_per_sequence=1e-4,
        decode_per_sequence_kilotoken=1e-4,
        error=0.07,
        prefills=12,
        iterations=34,
        prompt_tokens=(10.0, 900.0),
    )
    world.stores.fleet.observe(observation(laws=(law,)), at(6))
    world.stores.fleet.observe(observation(region=US), at(6))
    assert world.stores.fleet.fleet(at(1)).laws == (law,)


def test_nobody_reported_at_first(world: World) -> None:
    log = world.stores.fleet
    fleet = log.fleet(at(0))
    assert (fleet.at, fleet.pools, fleet.denials) == (at(0), (), ())
    assert log.observation(EU) is None
    assert log.lead_times(at(0)) == ()


def test_the_newest_observation_of_each_region_stands(world: World) -> None:
    log = world.stores.fleet
    assert log.observe(observation(5), at(6))
    assert not log.observe(observation(5, ready=9), at(6))
    assert not log.observe(observation(4, ready=9), at(6))
    assert log.observe(observation(1, US, agent_paused=True), at(6))
    again = world.open_again().fleet
    assert again.observation(EU) == observation(5)
    fleet = again.fleet(at(6))
    assert fleet.pool(pool()).ready == 2
    assert fleet.state(pool()).observed_at == at(5)
    assert fleet.paused_agents == {US}
    assert fleet.replicas == (*observation(5).replicas, *observation(1, US).replicas)


def test_an_observation_from_the_future_is_replaced_once_the_clocks_were_set_back(
    world: World,
) -> None:
    log, hour = world.stores.fleet, 60
    assert log.observe(observation(hour, ready=9), at(hour))
    assert log.observe(observation(1), at(1))
    assert log.fleet(at(1)).pool(pool()).ready == 2
    assert not log.observe(observation(0, ready=9), at(1))


def test_an_agents_clock_may_be_ahead_by_minutes(world: World) -> None:
    log = world.stores.fleet
    assert log.observe(observation(5), at(0))
    assert not log.observe(observation(4, ready=9), at(0))
    assert log.fleet(at(0)).pool(pool()).ready == 2


def test_a_pool_where_nothing_stands_is_a_measured_zero(world: World) -> None:
    world.stores.fleet.observe(observation(), at(6))
    fleet = world.stores.fleet.fleet(at(0))
    assert fleet.state(pool()).signal is Signal.FRESH
    assert fleet.state(pool(model=QWEN)).signal is Signal.ZERO
    assert fleet.state(pool(US)).signal is Signal.MISSING


def test_lead_times_are_kept_once_even_of_an_older_observation(world: World) -> None:
    log = world.stores.fleet
    log.observe(observation(5, lead_times=(sample(4), sample(4, 60))), at(6))
    log.observe(observation(5, lead_times=(sample(4),)), at(6))
    log.observe(observation(3, lead_times=(sample(2),)), at(6))
    assert len(log.lead_times(at(0))) == 3
    assert log.lead_times(at(0))[0] == sample(2)
    assert set(log.lead_times(at(4))) == {sample(4), sample(4, 60)}


def test_a_denial_holds_until_its_end_and_a_newer_one_replaces_it(world: World) -> None:
    log = world.stores.fleet
    log.deny(denial(), at(0))
    log.deny(denial(10, 40, "no capacity"), at(10))
    log.deny(denial(5, 99, "late word"), at(11))
    assert log.fleet(at(39)).denials == (denial(10, 40, "no capacity"),)
    assert log.fleet(at(40)).denials == ()


def test_a_denial_from_a_clock_that_was_set_back_caps_nothing_and_makes_room(world: World) -> None:
    log = world.stores.fleet
    log.deny(denial(60, 90, "ahead"), at(60))
    log.deny(replace(denial(60, 90, "ahead"), region=US), at(60))
    assert log.fleet(at(1)).denials == ()
    log.deny(denial(1, 31, "now"), at(1))
    assert log.fleet(at(1)).denials == (denial(1, 31, "now"),)
    assert log.fleet(at(70)).denials == (), "none of those from ahead comes back"


def life(journal: int = 2**62 + 1, incarnation: int = 1) -> AgentLife:
    return AgentLife(agent_id="eu/agent", journal_id=journal, incarnation=incarnation)


def test_one_agent_at_a_time_holds_a_region(world: World) -> None:
    fleet, lease = world.stores.fleet, timedelta(minutes=1)
    assert fleet.hold(EU) is None
    held = fleet.claim(EU, life(), at(0), lease)
    assert fleet.hold(EU) == held
    assert fleet.claim(US, life(journal=3), at(0), lease).region == US
    with pytest.raises(RegionHeld):
        fleet.claim(EU, life(journal=3), at(0), lease)
    assert fleet.hold(EU) == held
    later = fleet.claim(EU, life(journal=3), at(1), lease)
    assert fleet.hold(EU) == later
    assert later.agent.journal_id == 3


def test_a_hold_from_a_clock_that_was_set_back_ends_a_lease_after_another_asked(
    world: World,
) -> None:
    fleet, lease = world.stores.fleet, timedelta(minutes=1)
    fleet.claim(EU, life(), at(60), lease)
    with pytest.raises(RegionHeld):
        fleet.claim(EU, life(journal=3), at(10), lease)
    assert world.open_again().fleet.hold(EU) is not None
    with pytest.raises(RegionHeld):
        fleet.claim(EU, life(journal=3), at(10) + lease / 2, lease)
    assert fleet.claim(EU, life(journal=3), at(11), lease).agent.journal_id == 3


def test_a_hold_stands_for_those_who_only_ask_and_ends_a_lease_after_the_clock_was_set_back(
    world: World,
) -> None:
    fleet, lease = world.stores.fleet, timedelta(minutes=1)
    assert fleet.standing_hold(EU, at(0), lease) is None
    held = fleet.claim(EU, life(), at(60), lease)
    assert fleet.standing_hold(EU, at(60), lease) == held
    stands = fleet.standing_hold(EU, at(10), lease)
    assert stands is not None
    assert (stands.agent, stands.until) == (held.agent, at(11))
    assert world.open_again().fleet.hold(EU) == stands
    assert fleet.standing_hold(EU, at(10) + lease / 2, lease) == stands
    assert fleet.standing_hold(EU, at(11), lease) is None
    assert fleet.hold(EU) == stands


def test_the_holder_keeps_its_region_when_the_clock_is_set_back(world: World) -> None:
    fleet, lease = world.stores.fleet, timedelta(minutes=1)
    fleet.claim(EU, life(), at(60), lease)
    with pytest.raises(RegionHeld):
        fleet.claim(EU, life(journal=3), at(10), lease)
    held = fleet.claim(EU, life(), at(10) + lease / 2, lease)
    assert (held.since, held.until) == (at(10), at(10) + lease * 3 / 2)
    with pytest.raises(RegionHeld):
        fleet.claim(EU, life(journal=3), at(11), lease)
