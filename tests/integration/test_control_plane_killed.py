"""Kill -9 of the control plane while a command is in flight: it ends once, nothing is bought twice."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from numpy.random import SeedSequence

from heliostat.clock import SystemClock
from heliostat.model.names import PoolKey, RegionName
from heliostat.v1 import fleet_pb2
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_driver
from services.agent.hands import Hands
from services.agent.settings import AgentSettings
from services.translation.fields import instant_to_wire
from services.translation.fleet import fleet_from_wire
from services.translation.names import pool_to_wire
from storage.catalogue_file import read_catalogue
from tests.builders import MINUTE
from tests.support.planes import Client, a_channel

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "deploy/catalogue.yaml"
POOL = PoolKey.parse("eastus/llama2-70b/a100x8")
PROGRAM = """
import sys
from services.control_plane.bootstrap import serve
from services.control_plane.settings import load_settings
serve(load_settings(None, listen=sys.argv[1], metrics_listen="", page_listen="", lease=1,
                    database=sys.argv[2], catalogue=sys.argv[3], forecast_family="fast", workers=1,
                    usage_ahead=86400))
"""


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@asynccontextmanager
async def served(folder: Path, address: str) -> AsyncIterator[Client]:
    """`serve` as a process of its own; the end of the block is its kill -9."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PROGRAM, address, f"sqlite:///{folder}/heliostat.db", str(CATALOGUE)),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if b"control_plane_started" in line:
            break
    reading = asyncio.create_task(process.stderr.read())
    try:
        async with a_channel(address) as channel:
            yield Client(channel)
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(process.wait(), reading)


def an_agent(folder: Path, address: str) -> Agent:
    catalogue = read_catalogue(CATALOGUE)
    settings = AgentSettings(
        region="eastus",
        control_planes=(address,),
        catalogue=CATALOGUE,
        data_dir=folder / "agent",
        local_listen="",
        metrics_listen="",
        seed=1,
        power_safe=False,
    )
    driver = simulated_driver(RegionName("eastus"), catalogue, SeedSequence(1))
    return build_agent(
        settings, catalogue, now=SystemClock().now(), hands_of=lambda _: Hands(driver=driver)
    )


@pytest.mark.parametrize("killed_after", ["the order", "the lease", "the end"])
async def test_every_command_ends_once_and_nothing_is_bought_twice(
    tmp_path: Path, killed_after: str
) -> None:
    address, now = free_address(), SystemClock().now()
    order = fleet_pb2.ScalePoolRequest(
        pool=pool_to_wire(POOL),
        target_replicas=2,
        reason="a launch",
        request_id="once",
        expires_at=instant_to_wire(now + timedelta(hours=3)),
    )
    agent = an_agent(tmp_path, address)
    async with served(tmp_path, address) as client:
        await client.fleet.ScalePool(order)
        if killed_after != "the order":
            await agent.start()
            await agent.catch_up()
    if killed_after == "the end":
        for minute in range(120):
            agent.tick(now + MINUTE * minute)
    async with served(tmp_path, address) as client:
        await client.fleet.ScalePool(order)  # whoever got no answer asks again
        if killed_after == "the order":
            await agent.start()
        await agent.catch_up()
        for minute in range(120):
            agent.tick(now + MINUTE * minute)
        await agent.catch_up()
        listed = await client.fleet.ListCommands(fleet_pb2.ListCommandsRequest())
        seen = await client.fleet.GetFleet(fleet_pb2.GetFleetRequest(regions=["eastus"]))
    await agent.stop(0)
    assert [c.state for c in listed.commands] == [fleet_pb2.COMMAND_STATE_APPLIED]
    pool = fleet_from_wire(seen).pool(POOL)
    assert (pool.ready, pool.coming, pool.draining, pool.failed) == (2, 0, 0, 0)
