"""A control plane restored from a backup gives ids a second time: no order from before is left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heliostat.errors import DriverUnavailable, Throttled
from heliostat.loops.agent import AgentLoop
from heliostat.model.command import Command
from services.agent.drivers.vm.driver import VmDriver
from services.agent.drivers.vm.memory import ChunkState
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.meter import SilentMeter
from tests.builders import MINUTE, NOON
from tests.support.agents import EAST, AgentDisk, a_command, a_driver
from tests.support.vm_cloud import MemoryVms


class Region:
    """The agent of the east on a cloud in memory, ticking once a minute."""

    def __init__(self, folder: Path) -> None:
        self.disk, self.cloud = AgentDisk(folder), MemoryVms(NOON)
        file = self.disk.file()
        self.memory = SqliteDriverMemory(file)
        self.driver: VmDriver = a_driver(self.cloud, self.memory)
        self.journal = self.disk.journal_in(file)
        self.loop = AgentLoop(
            region=EAST, journal=self.journal, driver=self.driver, meter=SilentMeter()
        )

    def live(self, *commands: Command, minutes: int = 30) -> None:
        self.journal.receive(commands)
        for _ in range(minutes):
            self.loop.tick(self.cloud.now)
            self.cloud.now += MINUTE

    def open_intents(self) -> list[str]:
        return [intent.intent_id for intent in self.memory.intents() if not intent.closed]


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    region = Region(tmp_path)
    yield region
    region.disk.close()


def given_again(target: int) -> Command:
    """Another command under the id of `a_command()`."""
    return a_command(target=target, created_at=NOON + 5 * MINUTE)


def test_an_order_that_was_not_begun_leaves_no_purchase_behind(region: Region) -> None:
    region.cloud.refuse_all = Throttled("slow down")
    region.live(a_command(target=4), minutes=1)
    region.cloud.refuse_all = None
    region.live(given_again(6))
    assert (region.cloud.paid(), region.open_intents()) == (6, [])
    region.live(a_command(target=8, number=20))
    assert (region.cloud.paid(), region.open_intents()) == (8, [])


def test_an_order_half_done_becomes_part_of_the_pool(region: Region) -> None:
    region.live(a_command(target=4), minutes=1)
    region.live(given_again(6))
    assert (region.cloud.paid(), region.open_intents()) == (6, [])


@pytest.mark.parametrize("bought", [True, False])
def test_a_purchase_in_doubt_is_let_go_once_the_list_shows_what_was_bought(
    region: Region, bought: bool
) -> None:
    region.cloud.lag = 2 * MINUTE
    if bought:
        region.cloud.lose_answers = 1
    else:
        region.cloud.refuse = [DriverUnavailable("away")]
    region.live(a_command(target=4), minutes=1)
    region.live(given_again(2), minutes=1)
    (old, *_) = region.memory.intents()
    assert [chunk.state for chunk in old.chunks] == [ChunkState.SENT]
    region.live(minutes=30)
    assert (region.cloud.paid(), region.open_intents()) == (2, [])
