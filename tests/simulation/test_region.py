"""A region's cloud: lead times, drains, redeploys, quotas and whatever goes wrong."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    Precondition,
    QuotaExceeded,
    UnknownPool,
)
from heliostat.model.fleet import StartKind
from heliostat.model.instants import Span
from heliostat.model.names import VmTypeName
from simulation.engine import Change
from simulation.region import SimulatedRegion
from simulation.replica import BILLED, Replica, Stage
from simulation.troubles import CloudTroubles, Eviction, Shortage
from tests.builders import MINUTE, NOON, a_catalogue, a_pool, catalogue_mapping
from tests.simulation.regions import BusyUntil, a_region

HOUR = timedelta(hours=1)
SMALL = VmTypeName("small")


def life(
    replica: Replica, advance: Callable[[datetime], object], until: datetime
) -> list[tuple[datetime, Stage]]:
    """The stages that a replica passes, sampled every second, with the second of each entry."""
    seen: list[tuple[datetime, Stage]] = []
    now = NOON
    while now <= until:
        advance(now)
        if not seen or seen[-1][1] is not replica.stage:
            seen.append((now, replica.stage))
        now += timedelta(seconds=1)
    return seen


def test_a_bought_replica_is_requested_provisioned_loaded_and_ready_in_that_order() -> None:
    region = a_region()
    replica = region.buy(a_pool(), "c1", NOON)
    stages = life(replica, region.advance, NOON + HOUR)
    assert [stage for _, stage in stages] == [
        Stage.REQUESTED,
        Stage.PROVISIONING,
        Stage.LOADING,
        Stage.READY,
    ]
    (sample,) = region.books.lead_times
    assert (sample.start_kind, sample.ready_at) == (StartKind.COLD, stages[-1][0])
    assert sample.lead_time == stages[-1][0] - NOON


def test_a_draining_replica_is_released_only_when_what_runs_is_finished() -> None:
    load = BusyUntil(NOON + 5 * MINUTE)
    region = a_region(load=load)
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    region.release(replica, "c1", NOON)
    region.advance(NOON + 4 * MINUTE)
    stages = [replica.stage]
    load.instant = NOON + 8 * MINUTE
    for minute in (7, 8):
        region.advance(NOON + minute * MINUTE)
        stages.append(replica.stage)
    assert stages == [Stage.DRAINING, Stage.DRAINING, Stage.RELEASED]
    assert region.replicas() == ()


def test_a_replica_that_does_not_serve_yet_is_released_at_once() -> None:
    region = a_region(load=BusyUntil(NOON + HOUR))
    replica = region.buy(a_pool(), "c1", NOON)
    region.release(replica, "c2", NOON + MINUTE)
    assert replica.stage is Stage.RELEASED
    region.advance(NOON + HOUR)
    assert region.replicas() == ()


def test_a_redeploy_drains_first_and_then_loads_the_other_model_in_place() -> None:
    region = a_region(load=BusyUntil(NOON + 5 * MINUTE))
    alpha, beta = a_pool(), a_pool(model="beta")
    region.stand(alpha, 1, NOON)
    region.stand(beta, 1, NOON)
    replica = region.standing_for(alpha)[0]
    region.redeploy(replica, beta, "c1", NOON)
    region.advance(NOON + 4 * MINUTE)
    assert (replica.stage, replica.pool, replica.counts_for) == (Stage.DRAINING, alpha, beta)
    region.advance(NOON + 5 * MINUTE)
    assert (replica.stage, replica.pool) == (Stage.LOADING, beta)
    assert replica.start_kind is StartKind.REDEPLOY_LOCAL_WEIGHTS
    region.advance(NOON + 12 * HOUR)
    assert replica.stage is Stage.READY
    assert len(region.standing_for(beta)) == 2


def test_a_redeploy_to_a_model_never_loaded_in_the_region_fetches_its_weights_from_afar() -> None:
    region = a_region()
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    region.redeploy(replica, a_pool(model="beta"), "c1", NOON)
    region.advance(NOON)
    assert replica.start_kind is StartKind.REDEPLOY_REMOTE_WEIGHTS


def test_a_replica_released_while_it_moves_to_another_pool_goes_after_its_drain() -> None:
    region = a_region(load=BusyUntil(NOON + 5 * MINUTE))
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    region.redeploy(replica, a_pool(model="beta"), "c1", NOON)
    region.release(replica, "c2", NOON + MINUTE)
    region.advance(NOON + HOUR)
    assert replica.stage is Stage.RELEASED


def test_warm_vms_are_sold_first_and_come_back_to_the_stock() -> None:
    region = a_region(warm_vms={SMALL: 1})
    kinds = [region.buy(a_pool(), "c1", NOON).start_kind for _ in range(2)]
    assert kinds == [StartKind.WARM, StartKind.COLD]
    region.release(region.replicas()[0], "c2", NOON)
    assert region.buy(a_pool(), "c3", NOON).start_kind is StartKind.WARM


@pytest.mark.parametrize(
    ("end", "again"),
    [
        ("released", StartKind.WARM),
        ("failed", StartKind.COLD),
        ("failed while draining", StartKind.COLD),
        ("evicted", StartKind.COLD),
        ("cancelled before it was ready", StartKind.COLD),
    ],
)
def test_only_a_vm_that_served_and_was_released_is_warm_again(end: str, again: StartKind) -> None:
    region = a_region(warm_vms={SMALL: 1}, load=BusyUntil(NOON + HOUR))
    warm, replica = (region.buy(a_pool(), "c1", NOON) for _ in range(2))
    now = NOON
    if end != "cancelled before it was ready":
        now += HOUR
        region.advance(now)
        assert replica.stage is Stage.READY
    if end == "evicted":
        region.evict(replica, now)
    elif end == "failed":
        region.fail(replica, now)
    else:
        region.release(replica, "c2", now)
    if end == "failed while draining":
        region.fail(replica, now)
    region.advance(NOON + 2 * HOUR)
    assert replica not in region.replicas()
    assert warm in region.replicas()
    assert region.buy(a_pool(), "c3", NOON + 2 * HOUR).start_kind is again


def test_a_vm_that_served_is_warm_again_though_it_was_released_while_it_reloads() -> None:
    region = a_region(warm_vms={SMALL: 1})
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    assert region.buy(a_pool(), "c0", NOON).start_kind is StartKind.WARM
    region.redeploy(replica, a_pool(model="beta"), "c1", NOON)
    region.advance(NOON + timedelta(seconds=1))
    assert replica.stage is Stage.LOADING
    region.release(replica, "c2", NOON + timedelta(seconds=1))
    assert region.buy(a_pool(), "c3", NOON + timedelta(seconds=2)).start_kind is StartKind.WARM


def test_a_replica_that_fails_while_draining_is_paid_for_until_it_is_cleared_away() -> None:
    region = a_region(load=BusyUntil(NOON + 2 * MINUTE))
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    region.release(replica, "c1", NOON)
    region.fail(replica, NOON + MINUTE)
    region.advance(NOON + HOUR)
    seconds = region.stage_seconds(NOON + HOUR)
    assert seconds[a_pool(), Stage.DRAINING] == 60
    assert seconds[a_pool(), Stage.FAILED] == 300


def test_the_quota_counts_every_vm_that_is_paid_for() -> None:
    mapping = catalogue_mapping()
    mapping["regions"][0]["vm_types"]["small"] = {"quota": 2, "on_demand": 20.0}
    region = a_region(catalogue=a_catalogue(mapping), load=BusyUntil(NOON + HOUR))
    region.stand(a_pool(), 1, NOON)
    region.release(region.replicas()[0], "c0", NOON)
    region.buy(a_pool(), "c1", NOON)
    with pytest.raises(QuotaExceeded, match="2 small VMs"):
        region.buy(a_pool(model="beta"), "c2", NOON)
    assert region.market.refused == 1


def test_a_shortage_sells_what_is_left_and_ends() -> None:
    shortage = Shortage(vm_type=SMALL, span=Span(NOON, NOON + HOUR), free_vms=1)
    region = a_region(troubles=CloudTroubles(shortages=(shortage,)))
    region.buy(a_pool(), "c1", NOON)
    with pytest.raises(CapacityUnavailable):
        region.buy(a_pool(), "c1", NOON + MINUTE)
    region.buy(a_pool(vm_type="big"), "c2", NOON + MINUTE)
    region.buy(a_pool(), "c3", NOON + HOUR)


def test_every_vm_of_an_order_has_luck_of_its_own() -> None:
    region = a_region(troubles=CloudTroubles(refusal_probability=0.3))
    bought = []
    for number in range(40):
        before = len(region.replicas())
        with suppress(CapacityUnavailable, QuotaExceeded):
            for _ in range(4):
                region.buy(a_pool(), f"c{number}", NOON)
        bought.append(len(region.replicas()) - before)
        for replica in region.replicas():
            region.release(replica, "gone", NOON)
    # Three in ten are refused: one order in four is served whole, and many in part.
    assert bought.count(4) < 20
    assert sum(0 < vms < 4 for vms in bought) > 10


def test_bad_luck_belongs_to_the_command_and_is_the_same_when_asked_again() -> None:
    troubles = CloudTroubles(refusal_probability=0.5)

    def refused(region_commands: list[str]) -> list[str]:
        region, out = a_region(troubles=troubles), []
        for command_id in region_commands:
            try:
                region.buy(a_pool(), command_id, NOON)
            except CapacityUnavailable:
                out.append(command_id)
        return out

    commands = [f"c{number}" for number in range(30)]
    unlucky = refused(commands)
    assert 5 < len(unlucky) < 25
    assert refused(commands[::-1])[::-1] == unlucky


def test_a_start_that_fails_is_paid_for_until_it_is_cleared_away() -> None:
    region = a_region(troubles=CloudTroubles(start_failure_probability=1.0))
    region.desired[a_pool()] = 1
    replica = region.buy(a_pool(), "c1", NOON)
    now = NOON
    while replica.stage is not Stage.FAILED:
        now += MINUTE
        region.advance(now)
    assert region.desired[a_pool()] == 0
    assert region.books.gone("c1")[Stage.FAILED] == 1
    region.advance(now + 5 * MINUTE)
    assert region.replicas() == ()
    assert region.stage_seconds(now + HOUR)[a_pool(), Stage.FAILED] == 300


def test_ready_replicas_fail_at_the_scripted_rate() -> None:
    region = a_region(troubles=CloudTroubles(failures_per_day=1.0))
    region.stand(a_pool(), 40, NOON)
    region.advance(NOON + timedelta(days=1))
    assert 15 < region.books.happened["failed"] < 35  # 40 · (1 − 1/e) = 25


def test_a_replica_of_another_region_is_no_business_of_this_one() -> None:
    with pytest.raises(UnknownPool):
        a_region().buy(a_pool(region="west"), "c1", NOON)


def test_life_does_not_go_backwards() -> None:
    region = a_region()
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    with pytest.raises(Precondition, match="ready and cannot become loading"):
        replica.become(Stage.LOADING, NOON)


ACTS = st.tuples(st.sampled_from(["buy", "release", "redeploy", "fail"]), st.integers(0, 30))


@given(st.lists(ACTS, max_size=25))
def test_every_second_of_every_vm_is_booked_once(acts: list[tuple[str, int]]) -> None:
    region = a_region(load=BusyUntil(NOON + 20 * MINUTE))
    region.stand(a_pool(), 2, NOON)
    born = dict.fromkeys(range(2), NOON)
    vms = dict(enumerate(region.replicas()))
    now = NOON
    for act, minutes in acts:
        now += MINUTE * minutes
        region.advance(now)
        ready = [replica for replica in region.replicas() if replica.stage is Stage.READY]
        if act == "buy":
            number = len(vms)
            vms[number], born[number] = region.buy(a_pool(), "c1", now), now
        elif ready and act == "release":
            region.release(ready[0], "c2", now)
        elif ready and act == "redeploy":
            other = "beta" if ready[0].pool.model == "alpha" else "alpha"
            region.redeploy(ready[0], a_pool(model=other), "c3", now)
        elif ready:
            region.fail(ready[0], now)
    booked = sum(n for (_, stage), n in region.stage_seconds(now).items() if stage in BILLED)
    gone = {n: vm.since if vm.stage is Stage.RELEASED else now for n, vm in vms.items()}
    assert booked == sum((gone[n] - born[n]).total_seconds() for n in vms)


def test_an_engine_hears_of_every_replica_that_serves_and_of_its_end_in_order_of_time() -> None:
    region = a_region(load=BusyUntil(NOON + 5 * MINUTE))
    region.stand(a_pool(), 2, NOON)
    kept, given_back = region.replicas()
    region.release(given_back, "c1", NOON + MINUTE)
    region.fail(kept, NOON + 2 * MINUTE)
    region.advance(NOON + HOUR)
    told = [(c.replica_id, c.what, (c.at - NOON) // MINUTE) for c in region.take_changes()]
    assert told == [
        (kept.replica_id, Change.READY, 0),
        (given_back.replica_id, Change.READY, 0),
        (given_back.replica_id, Change.DRAINING, 1),
        (kept.replica_id, Change.FAILED, 2),
        (given_back.replica_id, Change.GONE, 5),
    ]
    assert region.take_changes() == []


def test_an_engine_hears_nothing_of_a_replica_that_never_served() -> None:
    region = a_region()
    replica = region.buy(a_pool(), "c1", NOON)
    region.release(replica, "c2", NOON + MINUTE)
    broken = region.buy(a_pool(), "c3", NOON + MINUTE)
    region.fail(broken, NOON + 2 * MINUTE)
    region.advance(NOON + HOUR)
    assert region.take_changes() == []


def test_a_redeployed_replica_is_gone_from_one_pool_and_ready_in_another() -> None:
    region = a_region()
    region.stand(a_pool(), 1, NOON)
    (replica,) = region.replicas()
    region.redeploy(replica, a_pool(model="beta"), "c1", NOON)
    region.advance(NOON + 4 * HOUR)
    told = [(change.pool.model, change.what) for change in region.take_changes()]
    assert told == [
        ("alpha", Change.READY),
        ("alpha", Change.DRAINING),
        ("alpha", Change.GONE),
        ("beta", Change.READY),
    ]


def test_a_lost_region_loses_every_replica_and_sells_none_until_it_is_back() -> None:
    outage = Span(NOON + HOUR, NOON + 3 * HOUR)
    region = a_region(troubles=CloudTroubles(outages=(outage,)))
    region.stand(a_pool(), 2, NOON)
    coming = region.buy(a_pool(), "c1", outage.start - MINUTE)
    region.advance(outage.start)
    assert {replica.stage for replica in region.replicas()} == {Stage.FAILED}
    assert coming.stage is Stage.FAILED
    assert region.desired[a_pool()] == 0
    with pytest.raises(CapacityUnavailable, match="lost"):
        region.buy(a_pool(), "c2", outage.end - MINUTE)
    with pytest.raises(DriverUnavailable):
        region.market.check_api(outage.start)
    region.market.check_api(outage.end)
    assert region.buy(a_pool(), "c3", outage.end).stands
    failed = [change for change in region.take_changes() if change.what is Change.FAILED]
    assert [change.at for change in failed] == [outage.start] * 2


def evicted(load: BusyUntil, *, vms: int = 1) -> tuple[SimulatedRegion, list[tuple[Change, int]]]:
    """Two ready replicas of which the cloud takes some a minute after noon, told two minutes ahead."""
    notice = Eviction(vm_type=SMALL, at=NOON + MINUTE, vms=vms)
    region = a_region(load=load, troubles=CloudTroubles(evictions=(notice,)))
    region.stand(a_pool(), 2, NOON)
    region.advance(NOON + HOUR)
    told = [(c.what, (c.at - NOON) // MINUTE) for c in region.take_changes()]
    return region, [one for one in told if one[0] is not Change.READY]


def test_an_evicted_vm_takes_no_more_and_goes_when_its_work_is_done() -> None:
    region, told = evicted(BusyUntil(NOON + 2 * MINUTE))
    assert told == [(Change.EVICTING, 1), (Change.GONE, 2)]
    assert len(region.replicas()) == region.desired[a_pool()] == 1
    assert region.books.happened["evicted"] == 1


def test_what_still_runs_when_the_notice_is_over_is_lost() -> None:
    _, told = evicted(BusyUntil(NOON + 20 * MINUTE))
    assert told == [(Change.EVICTING, 1), (Change.FAILED, 3)]


def test_the_youngest_are_evicted_first_and_no_more_than_stand() -> None:
    region, _ = evicted(BusyUntil(NOON))
    assert [replica.number for replica in region.replicas()] == [1]
    assert evicted(BusyUntil(NOON), vms=9)[0].replicas() == ()


def test_evictions_by_chance_come_as_often_as_asked() -> None:
    region = a_region(troubles=CloudTroubles(evictions_per_day=24.0))
    region.stand(a_pool(), 30, NOON)
    region.advance(NOON + HOUR)
    assert 10 < region.books.happened["evicted"] < 27
