"""A region changes hands: VMs that another journal bought are adopted before anything is bought."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import DriverUnavailable, Throttled
from heliostat.model.command import Command
from services.agent.drivers.vm.driver import VmDriver
from services.agent.hands import limits_of
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.journal.operator import request_adoption
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk, a_command, a_driver
from tests.support.vm_cloud import MemoryVms

MONDAY = NOON - timedelta(days=1)
"""When every journal here was born: before any VM was launched."""

Disks = Callable[[str], AgentDisk]


@pytest.fixture
def cloud() -> MemoryVms:
    return MemoryVms(NOON)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Disks]:
    made: list[AgentDisk] = []

    def disk(name: str) -> AgentDisk:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(AgentDisk(folder))
        return made[-1]

    yield disk
    for one in made:
        one.close()


def driver_on(disk: AgentDisk, cloud: MemoryVms, **changes: Any) -> VmDriver:
    return a_driver(cloud, SqliteDriverMemory(disk.file(MONDAY)), **changes)


def carry_out(driver: VmDriver, cloud: MemoryVms, command: Command) -> None:
    for _ in range(60):
        if driver.apply(command, cloud.now).done:
            return
        cloud.now += MINUTE
    raise AssertionError("the order never ended")


def ready(driver: VmDriver, cloud: MemoryVms) -> int:
    return next(p.ready for p in driver.observe(cloud.now).pools if p.pool == a_pool())


def adopted(driver: VmDriver, cloud: MemoryVms, disk: AgentDisk) -> int:
    """How many VMs are ready once the operator has adopted those that are reported as unknown."""
    unknown = driver.observe(cloud.now).unknown_vms
    request_adoption(disk.path, unknown, author="ops", now=cloud.now)
    return ready(driver, cloud)


def test_a_stand_by_buys_nothing_while_the_holders_vms_stand_unadopted(
    disks: Disks, cloud: MemoryVms
) -> None:
    stand_by_disk = disks("stand-by")
    holder, stand_by = driver_on(disks("holder"), cloud), driver_on(stand_by_disk, cloud)
    carry_out(holder, cloud, a_command(target=4))
    order = a_command(target=4, number=2)
    assert (ready(stand_by, cloud), len(stand_by.observe(cloud.now).unknown_vms)) == (0, 4)
    with pytest.raises(DriverUnavailable, match=r"vm-1, vm-2.*heliostat agent adopt"):
        stand_by.apply(order, cloud.now)
    assert cloud.paid() == 4
    assert adopted(stand_by, cloud, stand_by_disk) == 4
    carry_out(stand_by, cloud, order)
    assert cloud.paid() == 4


def test_a_journal_restored_from_a_snapshot_does_not_buy_again_what_it_forgot(
    disks: Disks, cloud: MemoryVms
) -> None:
    disk = disks("agent")
    driver_on(disk, cloud)
    disk.close()
    shutil.copytree(disk.folder, disk.folder.with_name("snapshot"))
    carry_out(driver_on(disk, cloud), cloud, a_command(target=4))
    disk.close()
    shutil.rmtree(disk.folder)
    shutil.copytree(disk.folder.with_name("snapshot"), disk.folder)
    with pytest.raises(DriverUnavailable, match="adopt"):
        driver_on(disk, cloud).apply(a_command(target=4), cloud.now)
    assert cloud.paid() == 4


def test_an_order_that_both_agents_were_given_is_carried_out_once(
    disks: Disks, cloud: MemoryVms
) -> None:
    """The holder is cut off from the control plane, not from the cloud."""
    stand_by_disk, order = disks("stand-by"), a_command(target=4)
    holder, stand_by = driver_on(disks("holder"), cloud), driver_on(stand_by_disk, cloud)
    cloud.refuse = [Throttled("slow down")]
    with suppress(Throttled):
        stand_by.apply(order, cloud.now)
    carry_out(holder, cloud, order)
    with pytest.raises(DriverUnavailable, match="adopt"):
        stand_by.apply(order, cloud.now)
    assert cloud.paid() == 4
    assert adopted(stand_by, cloud, stand_by_disk) == 4
    carry_out(stand_by, cloud, order)
    assert cloud.paid() == 4


def test_an_order_buys_what_is_lacking_beside_the_vms_that_were_adopted(
    disks: Disks, cloud: MemoryVms
) -> None:
    disk, order = disks("agent"), a_command(target=4)
    driver = driver_on(disk, cloud)
    cloud.refuse = [Throttled("slow down")]
    with suppress(Throttled):
        driver.apply(order, cloud.now)
    cloud.add_stranger("bought-by-hand", a_pool(), NOON)
    adopted(driver, cloud, disk)
    carry_out(driver, cloud, order)
    assert (ready(driver, cloud), cloud.paid()) == (4, 4)


def test_a_purchase_in_doubt_is_asked_again_whatever_else_stands_in_the_pool(
    disks: Disks, cloud: MemoryVms
) -> None:
    driver = driver_on(disks("agent"), cloud, limits=limits_of(DriverSettings(chunk_size=2)))
    cloud.lose_answers = 1
    with pytest.raises(DriverUnavailable, match="lost"):
        driver.apply(a_command(target=4), cloud.now)
    cloud.add_stranger("bought-by-hand", a_pool(), NOON - timedelta(days=1))
    cloud.lag = 2 * MINUTE
    cloud.now += MINUTE
    driver.apply(a_command(target=4), cloud.now)
    with pytest.raises(DriverUnavailable, match="adopt"):
        driver.apply(a_command(target=4), cloud.now)
    assert (cloud.calls.count("buy"), cloud.paid()) == (2, 3)


def test_an_unknown_vm_of_another_pool_holds_up_no_purchase(disks: Disks, cloud: MemoryVms) -> None:
    driver = driver_on(disks("agent"), cloud)
    cloud.add_stranger("of-beta", a_pool(model="beta"), NOON)
    cloud.add_stranger("of-no-pool", None, NOON)
    carry_out(driver, cloud, a_command(target=2))
    assert ready(driver, cloud) == 2
