"""The driver on a cloud of VMs: drains first, replaces what dies, adopts only what it is told to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heliostat.errors import DriverUnavailable, PurchaseRefused, UnknownPool
from heliostat.model.command import Command
from heliostat.model.fleet import PoolObservation
from services.agent.drivers.vm.driver import VmDriver
from services.agent.hands import patience_of
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.journal.operator import request_adoption
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk, a_command, a_driver, a_redeploy
from tests.support.vm_cloud import MemoryVms


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[AgentDisk]:
    disk = AgentDisk(tmp_path)
    yield disk
    disk.close()


@pytest.fixture
def cloud() -> MemoryVms:
    return MemoryVms(NOON)


@pytest.fixture
def driver(disk: AgentDisk, cloud: MemoryVms) -> VmDriver:
    return a_driver(cloud, SqliteDriverMemory(disk.file()))


def carry_out(driver: VmDriver, cloud: MemoryVms, command: Command, minutes: int = 60) -> datetime:
    for _ in range(minutes):
        if driver.apply(command, cloud.now).done:
            return cloud.now
        cloud.now += MINUTE
    raise AssertionError("the order never ended")


def seen(driver: VmDriver, cloud: MemoryVms, now: datetime | None = None) -> PoolObservation:
    return next(p for p in driver.observe(now or cloud.now).pools if p.pool == a_pool())


def test_a_busy_replica_drains_until_nothing_is_in_flight(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=1))
    cloud.in_flight["vm-1"] = 2
    start = cloud.now
    for minute in range(4):
        cloud.now = start + MINUTE * minute
        driver.apply(a_command(target=0, number=2), cloud.now)
    assert cloud.paid() == 1
    (endpoint,) = driver.observe(cloud.now).replicas
    assert endpoint.draining
    cloud.in_flight["vm-1"] = 0
    carry_out(driver, cloud, a_command(target=0, number=2))
    assert cloud.paid() == 0


def test_a_replica_that_does_not_say_what_it_holds_gets_the_whole_time_out(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=1))
    cloud.in_flight["vm-1"] = None
    start = cloud.now
    end = carry_out(driver, cloud, a_command(target=0, number=2))
    assert end - start >= timedelta(minutes=10)


def test_what_does_not_serve_yet_is_released_first(driver: VmDriver, cloud: MemoryVms) -> None:
    carry_out(driver, cloud, a_command(target=2))
    driver.apply(a_command(target=4, number=2), cloud.now)
    driver.abandon(a_command(target=4, number=2), cloud.now)
    driver.apply(a_command(target=2, number=3), cloud.now)
    assert [vm.vm_id for vm in cloud.vms.values() if vm.state != "gone"] == ["vm-1", "vm-2"]


def test_a_vm_that_dies_under_its_order_is_replaced(driver: VmDriver, cloud: MemoryVms) -> None:
    driver.apply(a_command(target=2), cloud.now)
    cloud.kill("vm-1")
    carry_out(driver, cloud, a_command(target=2))
    assert cloud.paid() == 2
    assert driver.observe(cloud.now).pools[1].ready + driver.observe(cloud.now).pools[0].ready == 2


def test_a_vm_that_dies_after_its_order_is_a_gap_that_the_next_plan_sees(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=3))
    cloud.kill("vm-1")
    cloud.broken.add("vm-2")
    for _ in range(3):
        pool = seen(driver, cloud)
        cloud.now += MINUTE
    assert (pool.desired, pool.ready, pool.failed) == (1, 1, 1)
    carry_out(driver, cloud, a_command(target=3, number=2))
    assert (seen(driver, cloud).desired, seen(driver, cloud).ready, cloud.paid()) == (3, 3, 3)


def test_a_vm_that_vanished_and_is_listed_again_is_ours_again(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=2))
    cloud.now += 5 * MINUTE
    lost = cloud.vms.pop("vm-1")
    assert (seen(driver, cloud).ready, seen(driver, cloud).desired) == (1, 1)
    cloud.vms["vm-1"] = lost
    cloud.now += MINUTE
    observed = driver.observe(cloud.now)
    pool = next(p for p in observed.pools if p.pool == a_pool())
    assert (pool.ready, pool.desired, observed.unknown_vms) == (2, 2, ())


def test_a_vm_that_came_back_is_one_too_many_once_it_was_replaced(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    driver.apply(a_command(target=2), cloud.now)
    lost = cloud.vms["vm-1"]
    cloud.kill("vm-1")
    carry_out(driver, cloud, a_command(target=2))
    cloud.vms["vm-1"] = lost
    cloud.now += MINUTE
    assert (seen(driver, cloud).standing, seen(driver, cloud).desired) == (3, 3)


def test_a_clock_that_jumps_right_after_a_purchase_loses_no_vm(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.lag = MINUTE
    driver.apply(a_command(target=1), NOON)
    driver.abandon(a_command(target=1), NOON)
    assert seen(driver, cloud, NOON + 4 * MINUTE).standing == 0
    cloud.now += 5 * MINUTE
    assert (seen(driver, cloud).standing, driver.observe(cloud.now).unknown_vms) == (1, ())


def test_a_vm_that_was_given_back_and_is_listed_again_is_released_again(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.lag = 10 * MINUTE
    driver.apply(a_command(target=1), cloud.now)
    driver.abandon(a_command(target=1), cloud.now)
    cloud.forget_releases = 1
    carry_out(driver, cloud, a_command(target=0, number=2))
    cloud.now = NOON + 20 * MINUTE
    driver.observe(cloud.now)
    assert cloud.paid() == 0


def test_a_vm_that_vanished_while_it_drained_drains_on_for_its_order_alone(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=2))
    cloud.now += 5 * MINUTE
    cloud.in_flight |= {"vm-1": 4, "vm-2": 3}
    driver.apply(a_command(target=1, number=2), cloud.now)
    lost = cloud.vms.pop("vm-2")
    cloud.now += MINUTE
    driver.observe(cloud.now)
    cloud.vms["vm-2"] = lost
    assert seen(driver, cloud).draining == 1
    del cloud.vms["vm-2"]
    cloud.now += MINUTE
    assert driver.apply(a_command(target=1, number=2), cloud.now).done
    cloud.vms["vm-2"] = lost
    cloud.now += MINUTE
    assert (seen(driver, cloud).ready, seen(driver, cloud).draining) == (2, 0)


def test_an_engine_that_never_answers_is_replaced_a_bounded_number_of_times(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.boot = timedelta(days=9)
    for _ in range(400):
        driver.apply(a_command(target=1), cloud.now)
        cloud.now += MINUTE
    assert len(cloud.vms) == 1 + 3


def test_one_missed_health_check_takes_nothing_away(driver: VmDriver, cloud: MemoryVms) -> None:
    carry_out(driver, cloud, a_command(target=1))
    driver.observe(cloud.now)
    cloud.broken.add("vm-1")
    cloud.now += MINUTE
    assert {p.pool: p.ready for p in driver.observe(cloud.now).pools}[a_pool()] == 1
    cloud.now += MINUTE
    assert {p.pool: p.failed for p in driver.observe(cloud.now).pools}[a_pool()] == 1


def test_an_engine_that_dies_after_the_clock_was_set_back_has_failed_as_soon_as_any(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=1))
    cloud.now += timedelta(hours=1)
    assert seen(driver, cloud).ready == 1
    cloud.now -= MINUTE * 50
    cloud.broken.add("vm-1")
    assert seen(driver, cloud).ready == 1
    cloud.now += MINUTE * 2
    assert seen(driver, cloud).failed == 1


def test_an_order_whose_pool_left_the_catalogue_is_let_go(
    disk: AgentDisk, cloud: MemoryVms
) -> None:
    memory = SqliteDriverMemory(disk.file())
    before = a_driver(cloud, memory)
    carry_out(before, cloud, a_command(target=2))
    before.apply(a_redeploy(1, 1, number=2), cloud.now)
    after = a_driver(cloud, memory, pools=[a_pool()])
    with pytest.raises(UnknownPool, match="beta"):
        after.apply(a_redeploy(1, 1, number=2), cloud.now)
    assert all(intent.closed for intent in memory.intents())
    assert (seen(after, cloud).ready, seen(after, cloud).desired) == (2, 2)


def test_unknown_vms_are_adopted_only_on_request(
    driver: VmDriver, cloud: MemoryVms, disk: AgentDisk
) -> None:
    cloud.add_stranger("old", a_pool(), NOON - timedelta(days=1))
    assert driver.observe(NOON).unknown_vms == ("old",)
    with pytest.raises(DriverUnavailable, match="adopt"):
        driver.apply(a_command(target=2), NOON)
    request_adoption(disk.path, ["old"], author="ops", now=NOON)
    observed = driver.observe(NOON)
    assert observed.unknown_vms == ()
    assert {p.pool: p.ready for p in observed.pools}[a_pool()] == 1
    driver.apply(a_command(target=2), NOON)
    assert cloud.paid() == 2


def test_a_pool_whose_engines_do_not_measure_has_no_utilisation(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=2))
    cloud.in_flight["vm-2"] = None
    pool = seen(driver, cloud)
    assert pool.running_requests is None
    assert pool.kv_occupancy == pytest.approx(0.1)


def test_a_release_that_the_cloud_did_not_hear_is_repeated(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    carry_out(driver, cloud, a_command(target=2))
    cloud.forget_releases = 2
    driver.apply(a_command(target=0, number=2), cloud.now)
    cloud.now += MINUTE
    driver.apply(a_command(target=0, number=2), cloud.now)
    driver.abandon(a_command(target=0, number=2), cloud.now)
    for _ in range(10):
        driver.observe(cloud.now)
        cloud.now += MINUTE
    assert cloud.paid() == 0
    assert cloud.calls.count("release") == 3
    assert all(p.draining == 0 for p in driver.observe(cloud.now).pools)


def test_a_region_is_seen_while_a_release_cannot_be_repeated(
    driver: VmDriver, cloud: MemoryVms, caplog: pytest.LogCaptureFixture
) -> None:
    carry_out(driver, cloud, a_command(target=2))
    cloud.forget_releases = 1
    driver.apply(a_command(target=1, number=2), cloud.now)
    cloud.now += MINUTE
    driver.apply(a_command(target=1, number=2), cloud.now)
    cloud.refuse_releases = DriverUnavailable("away")
    cloud.now += 10 * MINUTE
    pool = seen(driver, cloud)
    assert (pool.ready, pool.draining) == (1, 1)
    assert "release_not_repeated" in caplog.messages


@pytest.mark.parametrize("bought", [True, False])
def test_a_purchase_in_doubt_drains_nothing_that_serves(
    driver: VmDriver, cloud: MemoryVms, bought: bool
) -> None:
    carry_out(driver, cloud, a_command(target=4))
    first, second = a_command(target=10, number=2), a_command(target=6, number=3)
    cloud.lag = 2 * MINUTE
    if bought:
        cloud.lose_answers = 1
    else:
        cloud.refuse = [DriverUnavailable("away")]
    with pytest.raises(DriverUnavailable):
        driver.apply(first, cloud.now)
    lets_go = cloud.now + patience_of(DriverSettings()).visibility
    while cloud.now <= lets_go:
        for advance in (driver.abandon, driver.apply):
            with suppress(DriverUnavailable):
                advance(first if advance == driver.abandon else second, cloud.now)
        serving = {e.replica_id for e in driver.observe(cloud.now).replicas if not e.draining}
        assert serving >= {"vm-1", "vm-2", "vm-3", "vm-4"}
        cloud.now += MINUTE
    driver.abandon(first, cloud.now)
    carry_out(driver, cloud, second)
    assert cloud.paid() == 6


def test_a_purchase_that_the_list_shows_counts_once(driver: VmDriver, cloud: MemoryVms) -> None:
    carry_out(driver, cloud, a_command(target=4))
    cloud.lose_answers = 1
    with pytest.raises(DriverUnavailable):
        driver.apply(a_command(target=10, number=2), cloud.now)
    cloud.now += MINUTE
    driver.abandon(a_command(target=10, number=2), cloud.now)
    driver.apply(a_command(target=8, number=3), cloud.now)
    pool = seen(driver, cloud)
    assert (pool.ready, pool.standing, cloud.paid()) == (4, 8, 8)


def test_what_the_list_shows_of_a_lost_answer_is_not_asked_again(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.lose_answers = 1
    with pytest.raises(DriverUnavailable):
        driver.apply(a_command(target=3), cloud.now)
    cloud.now += MINUTE
    progress = driver.apply(a_command(target=3), cloud.now).progress
    assert (progress.ordered, progress.loading, cloud.calls.count("buy")) == (0, 3, 1)


def test_a_purchase_that_the_list_shows_in_part_is_asked_again(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.lose_answers = 1
    with pytest.raises(DriverUnavailable):
        driver.apply(a_command(target=3), cloud.now)
    cloud.vms["vm-3"] = replace(cloud.vms["vm-3"], launched_at=cloud.now + MINUTE)
    cloud.lag = MINUTE
    cloud.now += MINUTE
    progress = driver.apply(a_command(target=3), cloud.now).progress
    assert (progress.ordered, progress.loading + progress.provisioning) == (0, 3)
    assert cloud.paid() == 3


def test_a_refused_repeat_of_a_lost_purchase_drops_nothing_that_may_come_up(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    order = a_command(target=3)
    cloud.lag, cloud.lose_answers = 2 * MINUTE, 1
    with pytest.raises(DriverUnavailable):
        driver.apply(order, cloud.now)
    cloud.refuse_all = PurchaseRefused("the role may not buy any more")
    cloud.now += MINUTE
    with pytest.raises(DriverUnavailable, match="unknown until"):
        driver.apply(order, cloud.now)
    cloud.now += MINUTE
    assert driver.apply(order, cloud.now).done
    assert (seen(driver, cloud).ready, cloud.paid()) == (3, 3)


def test_a_repeated_purchase_that_bought_nothing_is_refused_once_the_list_would_show_it(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    order = a_command(target=3)
    cloud.refuse = [DriverUnavailable("away")]
    with pytest.raises(DriverUnavailable):
        driver.apply(order, cloud.now)
    cloud.refuse_all = PurchaseRefused("the role may not buy")
    cloud.now += patience_of(DriverSettings()).visibility
    with pytest.raises(DriverUnavailable, match="unknown until"):
        driver.apply(order, cloud.now)
    cloud.now += MINUTE
    with pytest.raises(PurchaseRefused, match="the role may not buy"):
        driver.apply(order, cloud.now)


@pytest.mark.parametrize(("back", "samples"), [(0, 1), (30, 0)])
def test_a_clock_that_was_set_back_measures_no_start(
    driver: VmDriver, cloud: MemoryVms, back: int, samples: int
) -> None:
    driver.apply(a_command(target=1), cloud.now)
    cloud.now -= MINUTE * back
    cloud.boot = cloud.lag = timedelta(minutes=-back)
    observed = carry_out(driver, cloud, a_command(target=1))
    assert len(driver.observe(observed).lead_times) == samples
