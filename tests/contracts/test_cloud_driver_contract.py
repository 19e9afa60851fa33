"""What every CloudDriver promises. An implementation joins by adding its cloud to `CLOUDS`.

A *cloud* outlives its drivers: `driver()` gives the one that an agent finds after a (re)start, `wait()`
lets the cloud's time pass, `vms()` counts the VMs that are paid for.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from heliostat.errors import CapacityUnavailable, DriverUnavailable, QuotaExceeded, UnknownPool
from heliostat.model.command import Command, RedeployOrder, ScaleOrder
from heliostat.model.fleet import PoolObservation
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from heliostat.ports.cloud import CloudDriver
from services.agent.dispatch.sight import WatchedDriver, no_readings
from services.agent.journal.driver_memory import SqliteDriverMemory
from simulation.chance import component
from simulation.driver import SimulatedDriver
from simulation.region import SimulatedRegion
from simulation.troubles import CloudTroubles, Shortage
from tests.builders import MINUTE, NOON, a_catalogue, a_pool
from tests.support.agents import AgentDisk, a_driver
from tests.support.vm_cloud import MemoryVms

EAST = RegionName("east")
HOURS = timedelta(hours=4)
SOLD_OUT = NOON + timedelta(hours=12)
"""From here on for an hour the cloud has two VMs of type `small` left and its API then goes away."""
AWAY = NOON + timedelta(hours=13)


class Cloud(Protocol):
    """Region east of the test catalogue, empty; sold out and away as the constants above say."""

    def driver(self) -> CloudDriver: ...

    def wait(self, until: datetime) -> None: ...

    def vms(self) -> int: ...

    def close(self) -> None: ...


class SimulatedCloud:
    def __init__(self, _: Path) -> None:
        hour = timedelta(hours=1)
        troubles = CloudTroubles(
            shortages=(
                Shortage(
                    vm_type=VmTypeName("small"), span=Span(SOLD_OUT, SOLD_OUT + hour), free_vms=2
                ),
            ),
            api_outages=(Span(AWAY, AWAY + hour),),
        )
        self._region = SimulatedRegion(
            region=EAST, catalogue=a_catalogue(), seeds=component(1, "east"), troubles=troubles
        )

    def driver(self) -> CloudDriver:
        return SimulatedDriver(self._region)

    def wait(self, until: datetime) -> None:
        self._region.advance(until)

    def vms(self) -> int:
        return len(self._region.replicas())

    def close(self) -> None:
        pass


class WatchedCloud(SimulatedCloud):
    """The simulated cloud, with the dispatcher looking over its driver's shoulder."""

    def driver(self) -> CloudDriver:
        return WatchedDriver(super().driver(), no_readings, NOON.timestamp)


class VmCloudInMemory:
    """The VM driver with its journal, on a cloud that keeps the promises of VmCloud."""

    def __init__(self, folder: Path) -> None:
        self._cloud = MemoryVms(NOON, quotas={"big": 20})
        self._disk = AgentDisk(folder)

    def driver(self) -> CloudDriver:
        return a_driver(self._cloud, SqliteDriverMemory(self._disk.file()))

    def wait(self, until: datetime) -> None:
        self._cloud.now = until
        self._cloud.away = until >= AWAY
        self._cloud.free = 2 if until >= SOLD_OUT else self._cloud.free

    def vms(self) -> int:
        return self._cloud.paid()

    def close(self) -> None:
        self._disk.close()


CLOUDS: dict[str, Callable[[Path], Cloud]] = {
    "simulated": SimulatedCloud,
    "vm-driver": VmCloudInMemory,
    "watched": WatchedCloud,
}


@pytest.fixture(params=sorted(CLOUDS))
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    cloud = CLOUDS[request.param](tmp_path)
    yield cloud
    cloud.close()


def scale(target: int, number: int = 1, pool: PoolKey | None = None) -> Command:
    return Command(
        command_id=f"{number:012d}",
        region=EAST,
        order=ScaleOrder(pool=pool or a_pool(), target_replicas=target),
        reason="the test wants it",
        author="tests",
        created_at=NOON + MINUTE * number,
        not_after=NOON + timedelta(days=2),
    )


def carry_out(cloud: Cloud, command: Command, start: datetime = NOON) -> datetime:
    """Apply until done, a minute at a time; returns when it was."""
    driver, now = cloud.driver(), start
    while not driver.apply(command, now).done:
        now += MINUTE
        cloud.wait(now)
        assert now < start + HOURS, "the order never ended"
    return now


def seen(cloud: Cloud, now: datetime, pool: PoolKey | None = None) -> PoolObservation:
    found = {p.pool: p for p in cloud.driver().observe(now).pools}
    return found[pool or a_pool()]


def test_an_empty_region_shows_its_pools_with_nothing_in_them(cloud: Cloud) -> None:
    observation = cloud.driver().observe(NOON)
    assert (observation.region, observation.observed_at) == (EAST, NOON)
    assert all(p.standing == p.desired == p.draining == 0 for p in observation.pools)
    assert all(p.utilisation is None for p in observation.pools)
    assert observation.replicas == ()


def test_a_pool_ends_at_its_target_and_is_observed_there(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(3))
    assert end > NOON
    pool = seen(cloud, end)
    assert (pool.desired, pool.ready, pool.coming) == (3, 3, 0)
    assert cloud.vms() == 3


def test_what_is_ordered_is_seen_as_coming_and_not_as_ready(cloud: Cloud) -> None:
    answer = cloud.driver().apply(scale(3), NOON)
    assert not answer.done
    pool = seen(cloud, NOON)
    assert (pool.desired, pool.ready, pool.coming) == (3, 0, 3)


def test_asking_again_buys_nothing_twice(cloud: Cloud) -> None:
    for _ in range(3):
        cloud.driver().apply(scale(3), NOON)
    assert cloud.vms() == 3


def test_asking_again_after_the_end_changes_nothing(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(3))
    assert cloud.driver().apply(scale(3), end + MINUTE).done
    assert cloud.vms() == 3


def test_a_lower_target_releases_down_to_it(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(3))
    end = carry_out(cloud, scale(1, 2), end)
    pool = seen(cloud, end)
    assert (pool.desired, pool.ready, pool.draining, cloud.vms()) == (1, 1, 0, 1)


def test_target_zero_empties_the_pool(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(2))
    carry_out(cloud, scale(0, 2), end)
    assert cloud.vms() == 0


def test_ready_replicas_can_be_reached_each_at_its_own_address(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(2))
    endpoints = cloud.driver().observe(end).replicas
    assert len({e.address for e in endpoints}) == len({e.replica_id for e in endpoints}) == 2
    assert all(e.pool == a_pool() and not e.draining for e in endpoints)


def test_each_start_is_reported_with_its_lead_time(cloud: Cloud) -> None:
    end = carry_out(cloud, scale(2))
    samples = cloud.driver().observe(end).lead_times
    assert len(samples) == 2
    assert all(s.pool == a_pool() and NOON < s.ready_at <= end for s in samples)
    assert all(timedelta(0) < s.lead_time <= end - NOON for s in samples)


def test_abandoned_orders_buy_nothing_more_and_keep_what_is_under_way(cloud: Cloud) -> None:
    cloud.driver().apply(scale(3), NOON)
    cloud.driver().abandon(scale(3), NOON)
    cloud.driver().abandon(scale(3), NOON)
    pool = seen(cloud, NOON)
    assert pool.desired == pool.standing == cloud.vms() == 3


def test_abandoning_what_was_never_begun_changes_nothing(cloud: Cloud) -> None:
    cloud.driver().abandon(scale(3), NOON)
    assert cloud.vms() == 0
    assert seen(cloud, NOON).desired == 0


def test_a_redeploy_moves_the_vms_that_stand(cloud: Cloud) -> None:
    alpha, beta = a_pool(), a_pool(model="beta")
    end = carry_out(cloud, scale(3))
    order = RedeployOrder(source=alpha, source_target=1, destination=beta, destination_target=2)
    most = 0
    driver, now, command = cloud.driver(), end, replace(scale(0, 2), order=order)
    while not driver.apply(command, now).done:
        now += MINUTE
        cloud.wait(now)
        most = max(most, cloud.vms())
        assert now < end + HOURS, "the redeploy never ended"
    assert most == cloud.vms() == 3
    assert [seen(cloud, now, pool).ready for pool in (alpha, beta)] == [1, 2]


def test_an_unknown_pool_is_refused_by_its_name(cloud: Cloud) -> None:
    stranger = a_pool(model="gamma")
    with pytest.raises(UnknownPool, match="gamma"):
        cloud.driver().apply(scale(1, pool=stranger), NOON)


def test_no_capacity_is_a_typed_refusal_and_keeps_what_was_got(cloud: Cloud) -> None:
    cloud.wait(SOLD_OUT)
    with pytest.raises(CapacityUnavailable):
        cloud.driver().apply(scale(5), SOLD_OUT)
    pool = seen(cloud, SOLD_OUT)
    assert pool.standing == pool.desired == cloud.vms() == 2


def test_the_quota_is_a_typed_refusal(cloud: Cloud) -> None:
    with pytest.raises(QuotaExceeded):
        carry_out(cloud, scale(25, pool=a_pool(vm_type="big")))
    assert cloud.vms() == 20


def test_while_the_api_is_away_calls_say_so(cloud: Cloud) -> None:
    cloud.wait(AWAY)
    driver = cloud.driver()
    with pytest.raises(DriverUnavailable):
        driver.apply(scale(1), AWAY)
    with pytest.raises(DriverUnavailable):
        driver.observe(AWAY)
    with pytest.raises(DriverUnavailable):
        driver.abandon(scale(1), AWAY)
