"""What an agent's ticking survives, and what ends it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from numpy.random import SeedSequence

from heliostat.errors import CorruptJournal, DataLoss, HeliostatError, StorageUnavailable
from heliostat.model.command import Command
from heliostat.model.fleet import RegionObservation
from heliostat.ports.cloud import DriverAnswer
from services.agent.board import RouteBoard
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_driver
from services.agent.hands import Hands
from services.agent.journal.trying_again import Again
from services.agent.link import Link
from services.agent.link.home import Home
from services.agent.settings import AgentSettings
from tests.builders import NOON, a_catalogue, a_window
from tests.support.agents import EAST, AgentDisk, a_command


class Surprising:
    """A driver whose cloud answers something unheard of the first time."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._driver = simulated_driver(EAST, a_catalogue(), SeedSequence(1))
        self._loop, self._stop = asyncio.get_running_loop(), stop
        self.observed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        raise KeyError("print $1")

    def observe(self, now: datetime) -> RegionObservation:
        self.observed += 1
        if self.observed == 1:
            raise KeyError("InstanceLifeCycle")
        self._loop.call_soon_threadsafe(self._stop.set)
        return self._driver.observe(now)


async def test_a_surprise_ends_a_tick_and_not_the_agent(tmp_path: Path) -> None:
    stop = asyncio.Event()
    driver = Surprising(stop)
    settings = AgentSettings(
        region="east", data_dir=tmp_path, local_listen="", metrics_listen="", power_safe=False
    )
    agent = build_agent(settings, a_catalogue(), now=NOON, hands_of=lambda _: Hands(driver=driver))
    await agent.keep_ticking(lambda: NOON, 0.001, stop)
    await agent.stop(0)
    assert driver.observed == 2


async def test_each_fault_of_a_tick_is_logged_with_its_trace_and_the_tick_counted_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    driver = Surprising(stop)
    settings = AgentSettings(
        region="east", data_dir=tmp_path, local_listen="", metrics_listen="", power_safe=False
    )
    agent = build_agent(settings, a_catalogue(), now=NOON, hands_of=lambda _: Hands(driver=driver))
    agent.journal.receive([a_command()])
    await agent.keep_ticking(lambda: NOON, 0.001, stop)
    failed = agent.metrics.registry.get_sample_value(
        "heliostat_agent_failed_ticks_total", {"region": "east"}
    )
    await agent.stop(0)
    said = [r.exc_info[1] for r in caplog.records if r.message == "tick_failed" and r.exc_info]
    assert [str(fault) for fault in said] == ["'print $1'", "'InstanceLifeCycle'", "'print $1'"]
    assert failed == 2


class Losing(Surprising):
    """A driver whose memory, the journal, fails."""

    def __init__(self, loss: HeliostatError) -> None:
        super().__init__(asyncio.Event())
        self._loss = loss

    def observe(self, now: datetime) -> RegionObservation:
        raise self._loss


@pytest.mark.parametrize("loss", [CorruptJournal("a row is damaged"), StorageUnavailable("full")])
async def test_a_journal_that_fails_in_a_tick_is_asked_nothing_more(
    tmp_path: Path, loss: HeliostatError
) -> None:
    settings = AgentSettings(
        region="east", data_dir=tmp_path, local_listen="", metrics_listen="", power_safe=False
    )
    driver = Losing(loss)
    agent = build_agent(settings, a_catalogue(), now=NOON, hands_of=lambda _: Hands(driver=driver))
    agent.journal.append_usage([a_window(NOON - timedelta(days=1))])
    agent.journal.usage.set_aside("east/agent", 1, "ahead", Again.CLOCKS)
    with pytest.raises(HeliostatError) as caught:
        agent.tick(NOON)
    still_to_send = agent.journal.usage.send_again(NOON)
    await agent.stop(0)
    assert (caught.value, still_to_send) == (loss, 1)


async def test_a_journal_that_breaks_ends_the_link_with_the_loss_itself(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    link = Link(
        journal=journal,
        board=RouteBoard(None),
        home=Home(["127.0.0.1:1"], None),
        catalogue=disk.catalogue,
        region=EAST,
        agent_id="agent",
        chance=Random(1),
    )
    disk.close()
    with pytest.raises(DataLoss):
        await link.run()
