"""A redeploy of which the cloud says nothing ends by patience, and hides neither its own VM nor any other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heliostat.errors import DriverUnavailable, HeliostatError, Throttled
from heliostat.model.fleet import PoolObservation
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import RedeployState
from services.agent.drivers.vm.driver import VmDriver
from services.agent.hands import patience_of
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk, a_command, a_driver, a_redeploy, beta_pool
from tests.support.vm_cloud import MemoryVms

NOT_SAID = [
    DriverUnavailable("look after the redeploy: InvalidInstanceId"),
    Throttled("look after the redeploy: slow down"),
]


@pytest.fixture
def cloud() -> MemoryVms:
    return MemoryVms(NOON)


@pytest.fixture
def driver(tmp_path: Path, cloud: MemoryVms) -> Iterator[VmDriver]:
    """Three replicas of alpha, of which two are on their way to beta."""
    disk = AgentDisk(tmp_path)
    driver = a_driver(cloud, SqliteDriverMemory(disk.file()))
    order = a_redeploy(1, 2, number=2)
    while not driver.apply(a_command(target=3), cloud.now).done:
        cloud.now += MINUTE
    cloud.redeploys = RedeployState.RUNNING
    while cloud.calls.count("redeploy") < 2:
        driver.apply(order, cloud.now)
        cloud.now += MINUTE
    yield driver
    disk.close()


def moved(cloud: MemoryVms) -> list[str]:
    return sorted(vm.vm_id for vm in cloud.vms.values() if vm.pool == beta_pool())


def seen(driver: VmDriver, cloud: MemoryVms, pool: PoolKey) -> PoolObservation:
    return next(p for p in driver.observe(cloud.now).pools if p.pool == pool)


@pytest.mark.parametrize("error", NOT_SAID)
def test_a_vm_that_vanishes_in_a_redeploy_is_gone(
    driver: VmDriver, cloud: MemoryVms, error: HeliostatError
) -> None:
    first, _ = moved(cloud)
    cloud.kill(first)
    cloud.unsaid[first] = error
    pool = seen(driver, cloud, beta_pool())
    assert (pool.loading, pool.standing) == (1, 1)
    assert seen(driver, cloud, a_pool()).ready == 1


@pytest.mark.parametrize("error", NOT_SAID)
def test_a_redeploy_of_which_nothing_is_said_holds_up_no_other(
    driver: VmDriver, cloud: MemoryVms, error: HeliostatError, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = moved(cloud)
    cloud.unsaid[first] = error
    cloud.redeploys = RedeployState.SUCCEEDED
    for _ in range(5):
        cloud.now += MINUTE
        pool = seen(driver, cloud, beta_pool())
    assert (pool.ready, pool.loading) == (1, 1)
    assert caplog.messages.count("redeploy_not_seen") == 1


def test_a_redeploy_of_which_nothing_is_said_fails_like_any_start(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    cloud.unsaid = dict.fromkeys(moved(cloud), DriverUnavailable("AccessDenied"))
    cloud.now += patience_of(DriverSettings()).start
    pool = seen(driver, cloud, beta_pool())
    assert (pool.failed, pool.standing) == (2, 0)


def test_a_cloud_that_does_not_say_how_far_redeploys_are_is_asked_once_a_look(
    driver: VmDriver, cloud: MemoryVms
) -> None:
    """A call that is not answered takes half a minute."""
    cloud.unsaid = dict.fromkeys(moved(cloud), DriverUnavailable("away"))
    asked = cloud.calls.count("redeploy_state")
    driver.observe(cloud.now)
    assert cloud.calls.count("redeploy_state") == asked + 1
