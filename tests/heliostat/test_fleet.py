"""How far the fleet may be trusted: observations grow stale, and those from the future are no fresher."""

from datetime import timedelta

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.fleet import (
    MOST_AHEAD,
    BacklogGroup,
    BatchBacklog,
    CapacityDenial,
    Fleet,
    PoolObservation,
    PoolState,
    RegionReport,
    ReplicaEndpoint,
    Signal,
)
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import ModelName, PoolKey, RegionName
from tests.builders import MINUTE, NOON, a_pool, an_observation
from tests.heliostat.fakes import a_house

STALE_AFTER = 3 * MINUTE
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "signal"),
    [
        (STALE_AFTER, Signal.FRESH),
        (STALE_AFTER + SECOND, Signal.STALE),
        (-MOST_AHEAD, Signal.FRESH),
        (-MOST_AHEAD - SECOND, Signal.STALE),
        (timedelta(hours=-1), Signal.STALE),
    ],
)
def test_an_observation_is_fresh_only_while_its_age_is_known_to_be_small(
    age: timedelta, signal: Signal
) -> None:
    seen = PoolState(
        observation=PoolObservation(pool=a_pool(), ready=4),
        observed_at=NOON - age,
        signal=Signal.FRESH,
    )
    fleet = Fleet(at=NOON - age, pools=(seen,)).aged(NOON, STALE_AFTER)
    assert fleet.state(a_pool()).signal is signal


def a_law(pool: PoolKey) -> MeasuredLaw:
    return MeasuredLaw(
        pool=pool,
        prefill_base=0.01,
        prefill_per_token=1e-5,
        prefill_per_token_beyond_knee=0.0,
        decode_base=0.02,
        decode_per_sequence=1e-4,
        decode_per_sequence_kilotoken=1e-4,
        error=0.1,
        prefills=9,
        iterations=9,
    )


def a_backlog(region: str = "east", model: str = "alpha", requests: int = 5) -> BatchBacklog:
    group = BacklogGroup(due=NOON + 60 * MINUTE, requests=requests)
    return BatchBacklog(region=RegionName(region), model=ModelName(model), groups=(group,))


@pytest.mark.parametrize(
    ("age", "known"),
    [
        (STALE_AFTER, True),
        (STALE_AFTER + SECOND, False),
        (-MOST_AHEAD, True),
        (-MOST_AHEAD - SECOND, False),
    ],
)
def test_a_backlog_is_known_as_long_as_its_regions_observation_is_fresh(
    age: timedelta, known: bool
) -> None:
    here, there = a_backlog(), a_backlog("west")
    fleet = Fleet(
        at=NOON,
        pools=(),
        batch_backlog=(here, there),
        reports=(
            RegionReport(region=here.region, observed_at=NOON - age),
            RegionReport(region=there.region, observed_at=NOON),
        ),
    )
    left = fleet.less_stale_backlogs(STALE_AFTER).batch_backlog
    assert left == ((here, there) if known else (there,))


def test_a_region_reports_what_waits_of_its_own_models_once() -> None:
    with pytest.raises(InvalidInput, match="appears twice"):
        an_observation(batch_backlog=(a_backlog(), a_backlog(requests=6)))
    with pytest.raises(InvalidInput, match="not of east"):
        an_observation(batch_backlog=(a_backlog("west"),))


def test_plans_count_no_backlog_that_is_old() -> None:
    house = a_house()
    seen = an_observation(PoolObservation(pool=a_pool()), batch_backlog=(a_backlog(),))
    house.stores.fleet.observe(seen, NOON)
    read = house.loop.situation.planning
    assert read(NOON + STALE_AFTER).fleet.batch_backlog == (a_backlog(),)
    late = read(NOON + STALE_AFTER + SECOND).fleet
    assert late.batch_backlog == ()
    assert late.state(a_pool()).signal is Signal.STALE


def test_a_region_that_the_catalogue_has_no_more_is_part_of_no_fleet() -> None:
    """It was renamed or removed: its last report stays stored, and nobody replaces it."""
    house, old = a_house(), a_pool("mars")
    stays = an_observation(PoolObservation(pool=a_pool(), ready=2), unknown_vms=("vm-1",))
    house.stores.fleet.observe(stays, NOON)
    before = house.loop.situation.fleet(NOON)
    gone = an_observation(
        PoolObservation(pool=old, ready=2),
        region="mars",
        replicas=(ReplicaEndpoint(replica_id="vm-9", pool=old, address="10.0.0.9:8000"),),
        agent_paused=True,
        batch_backlog=(a_backlog("mars"),),
        laws=(a_law(old),),
        unknown_vms=("vm-8",),
    )
    house.stores.fleet.observe(gone, NOON)
    denial = CapacityDenial(
        region=old.region,
        vm_type=old.vm_type,
        reason="no-capacity",
        at=NOON,
        until=NOON + MINUTE,
        most_replicas=0,
    )
    house.stores.fleet.deny(denial, NOON)
    assert house.loop.situation.fleet(NOON) == before
    assert before.reports[0].unknown_vms == ("vm-1",)
