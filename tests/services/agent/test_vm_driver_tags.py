"""A VM is reported in the pool whose model it serves: as the journal says, and as its tags say where the
journal was put back from a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heliostat.errors import DriverUnavailable, HeliostatError, Throttled
from heliostat.model.command import Command, RedeployOrder
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import NotDone, RedeployState
from services.agent.hands import patience_of
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.settings import DriverSettings
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk, a_command, a_driver, a_redeploy, beta_pool
from tests.support.vm_cloud import MemoryVms

MOVE = a_redeploy(1, 2, number=2)
"""Two of three VMs of alpha are to serve beta."""


LATER = patience_of(DriverSettings()).visibility + MINUTE
"""By then the cloud's list shows what was done."""


class Killed(BaseException):
    """Like SIGKILL: nothing may catch it."""


class Region:
    """A region whose agent can be killed, and whose journal can be copied and put back."""

    def __init__(self, folder: Path) -> None:
        self.cloud = MemoryVms(NOON)
        self._disk = AgentDisk(folder)
        self.restart()
        self.until_done(a_command(target=3))

    def restart(self) -> None:
        """The next life, on the journal as it is."""
        self.driver = a_driver(self.cloud, SqliteDriverMemory(self._disk.file()))

    def until_done(self, order: Command = MOVE) -> None:
        for _ in range(60):
            if self.driver.apply(order, self.cloud.now).done:
                return
            self.cloud.now += MINUTE
        raise AssertionError("the order never ended")

    def until_asked(self) -> None:
        """The order goes on until the cloud was asked once to redeploy, whatever comes of it."""
        while "redeploy" not in self.cloud.calls:
            self.cloud.now += MINUTE
            self.driver.apply(MOVE, self.cloud.now)

    def copied(self, copy: Path) -> None:
        """The journal as an agent leaves it that was stopped."""
        self.close()
        shutil.copytree(self._disk.folder, copy)
        self.restart()

    def put_back(self, copy: Path) -> None:
        self.close()
        shutil.rmtree(self._disk.folder)
        shutil.copytree(copy, self._disk.folder)
        self.restart()

    def reported(self) -> dict[str, PoolKey]:
        """Where each VM serves, as the agent says."""
        seen = self.driver.observe(self.cloud.now)
        return {r.replica_id: r.pool for r in seen.replicas if not r.draining}

    def counts(self) -> tuple[int, int]:
        """Ready replicas of alpha and of beta, as the agent says."""
        ready = {p.pool: p.ready for p in self.driver.observe(self.cloud.now).pools}
        return ready[a_pool()], ready[beta_pool()]

    def close(self) -> None:
        self._disk.close()


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    (tmp_path / "data").mkdir()
    region = Region(tmp_path / "data")
    yield region
    region.close()


def test_a_copy_with_a_redeployment_under_way_that_is_told_how_it_ended(
    region: Region, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    region.driver.apply(MOVE, region.cloud.now)
    region.copied(tmp_path / "copy")
    region.until_done()
    truth = dict(region.cloud.serves)
    region.put_back(tmp_path / "copy")
    region.driver.abandon(MOVE, region.cloud.now)  # as for every command that ended elsewhere
    for _ in range(2):
        assert region.reported() == truth
    assert region.counts() == (1, 2)
    assert region.cloud.calls.count("redeploy") == 2, "those of the first time"
    assert caplog.messages.count("vm_found_in_another_pool") == 2
    region.restart()
    assert region.reported() == truth
    assert caplog.messages.count("vm_found_in_another_pool") == 2, "it is written down"


def test_a_copy_from_before_a_redeployment(region: Region, tmp_path: Path) -> None:
    region.copied(tmp_path / "copy")
    region.until_done()
    truth = dict(region.cloud.serves)
    region.put_back(tmp_path / "copy")
    seen = region.driver.observe(region.cloud.now)
    assert {r.replica_id: r.pool for r in seen.replicas} == truth
    samples = [sample for sample in seen.lead_times if sample.pool == beta_pool()]
    assert samples == [], "nobody here measured these starts"
    region.until_done(a_command(target=1, number=3))
    assert region.cloud.paid() == 3, "one of alpha stands already"


def test_a_copy_from_before_a_redeployment_that_was_made_a_moment_ago(
    region: Region, tmp_path: Path
) -> None:
    """Engines load still: they are on their way, neither ready nor failed."""
    region.copied(tmp_path / "copy")
    region.until_asked()
    region.put_back(tmp_path / "copy")
    assert region.counts() == (2, 0)
    region.cloud.now += region.cloud.boot
    assert region.counts() == (2, 1)


def test_a_copy_in_which_a_redeployment_goes_on(region: Region, tmp_path: Path) -> None:
    region.driver.apply(MOVE, region.cloud.now)
    region.copied(tmp_path / "copy")
    region.until_done()
    region.put_back(tmp_path / "copy")
    region.until_done()
    assert region.reported() == region.cloud.serves
    assert region.counts() == (1, 2)


def dies_when(step: str) -> Callable[[str], None]:
    def maybe_die(at: str) -> None:
        if at == step:
            raise Killed

    return maybe_die


@pytest.mark.parametrize("step", ["tagged", "begun"])
def test_who_is_killed_in_a_redeployment_carries_it_on(region: Region, step: str) -> None:
    region.cloud.while_redeploying = dies_when(step)
    with pytest.raises(Killed):
        region.until_asked()
    region.cloud.while_redeploying = lambda _: None
    region.cloud.now += LATER
    region.restart()
    assert region.counts() == (1, 0), "two are on their way, whatever their tags say"
    region.until_done()
    assert region.reported() == region.cloud.serves
    assert region.counts() == (1, 2)


@pytest.mark.parametrize("step", ["tagged", "begun"])
def test_a_vm_that_may_be_on_its_way_when_the_order_is_let_go_is_brought_back(
    region: Region, step: str
) -> None:
    region.cloud.while_redeploying = dies_when(step)
    with pytest.raises(Killed):
        region.until_asked()
    region.cloud.while_redeploying = lambda _: None
    region.cloud.now += LATER
    region.restart()
    region.driver.abandon(MOVE, region.cloud.now)
    assert region.counts() == (2, 0), "the third is loading"
    for _ in range(10):
        region.cloud.now += MINUTE
        region.driver.observe(region.cloud.now)
    assert region.counts() == (3, 0)
    assert region.reported() == region.cloud.serves
    seen = region.driver.observe(region.cloud.now)
    assert [s.start_kind for s in seen.lead_times] == [], "this start is no measure of any"


def test_a_vm_that_the_cloud_will_not_redeploy_serves_where_it_was(region: Region) -> None:
    """As where its SSM agent is off, or the role may not run commands: tags are all that changes."""

    def refuse(step: str) -> None:
        raise NotDone(f"InvalidInstanceId, {step}")

    region.cloud.while_redeploying = refuse
    for _ in range(2):
        with pytest.raises(NotDone):
            region.until_asked()
        region.cloud.calls.clear()
    region.driver.abandon(MOVE, region.cloud.now)
    for _ in range(10):
        assert region.counts() == (3, 0)
        region.cloud.now += MINUTE
    assert region.reported() == region.cloud.serves
    assert {vm.pool for vm in region.cloud.vms.values()} == {a_pool()}


@pytest.mark.parametrize("error", [Throttled("slow down"), DriverUnavailable("no answer")])
def test_an_order_whose_redeployment_is_in_doubt_is_let_go_once_the_cloud_answers(
    region: Region, error: HeliostatError
) -> None:
    def lose(step: str) -> None:
        if step == "begun":
            raise error

    region.cloud.while_redeploying = lose
    with pytest.raises(type(error)):
        region.until_asked()
    with pytest.raises(type(error)):
        region.driver.abandon(MOVE, region.cloud.now)
    assert region.counts() == (1, 0), "still on their way"
    region.cloud.while_redeploying = lambda _: None
    region.driver.abandon(MOVE, region.cloud.now)
    region.cloud.now += region.cloud.boot
    assert region.counts() == (3, 0)
    assert region.reported() == region.cloud.serves


def test_a_list_that_lags_behind_the_tags_moves_nothing_back(region: Region) -> None:
    before = {vm.vm_id: vm.pool for vm in region.cloud.vms.values()}
    region.until_done()
    truth = dict(region.cloud.serves)
    now = {vm_id: vm.pool for vm_id, vm in region.cloud.vms.items()}
    region.cloud.tag(before)
    assert region.reported() == truth
    region.cloud.tag(now)
    assert region.reported() == truth


def test_tags_that_change_in_a_redeployment_wait_for_its_end(region: Region) -> None:
    region.cloud.redeploys = RedeployState.RUNNING
    region.until_asked()
    (moved,) = (vm for vm, pool in region.cloud.serves.items() if pool == beta_pool())
    region.cloud.tag({moved: a_pool()})
    region.cloud.now += LATER
    loading = {p.pool: p.loading for p in region.driver.observe(region.cloud.now).pools}
    assert (loading[a_pool()], loading[beta_pool()]) == (0, 1)


def test_a_vm_that_was_redeployed_by_hand_is_followed_by_its_tags(region: Region) -> None:
    region.until_done()
    region.cloud.now += LATER
    moved = sorted(region.cloud.vms)[0]
    region.cloud.redeploy(moved, a_pool(), "by hand")
    region.cloud.now += region.cloud.boot
    assert region.reported() == region.cloud.serves
    assert region.counts() == (2, 1)


def test_a_vm_that_is_given_back_is_not_taken_for_another_pools(region: Region) -> None:
    order = a_command(target=2, number=3)
    region.driver.apply(order, region.cloud.now)
    (leaving,) = (
        r.replica_id for r in region.driver.observe(region.cloud.now).replicas if r.draining
    )
    region.cloud.tag({leaving: beta_pool()})
    region.cloud.in_flight[leaving] = 5
    region.cloud.now += MINUTE
    region.driver.apply(order, region.cloud.now)
    assert region.cloud.paid() == 3, "its requests are not cut off"
    assert region.counts() == (2, 0)
    region.cloud.in_flight[leaving] = 0
    region.until_done(order)
    assert region.cloud.paid() == 2


def test_a_vm_that_was_only_marked_when_the_order_is_let_go_is_left_as_it_is(
    region: Region,
) -> None:
    region.until_done()
    order = RedeployOrder(
        source=beta_pool(), source_target=0, destination=a_pool(), destination_target=3
    )
    back = a_command(number=3, order=order)
    region.driver.apply(back, region.cloud.now)
    assert region.counts() == (1, 0)
    asked = region.cloud.calls.count("redeploy")
    region.driver.abandon(back, region.cloud.now)
    assert region.counts() == (1, 2)
    assert region.cloud.calls.count("redeploy") == asked
