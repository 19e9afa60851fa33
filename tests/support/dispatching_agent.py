"""An agent whose replicas stand still and always measure the same: in this process, or in one to be killed.

As a program: `python -m tests.support.dispatching_agent FOLDER REPLICAS` begins a life for every line that it
reads, once the life before is over, and says its process and its port. It imports and compiles once, so
that a life and a death cost a fork.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heliostat.clock import SystemClock
from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import RegionObservation, ReplicaEndpoint
from heliostat.model.names import RegionName
from heliostat.ports.cloud import DriverAnswer
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.hands import Hands
from services.agent.settings import AgentSettings, DispatchSettings
from tests.builders import a_catalogue
from tests.support.agents import EAST
from tests.support.dispatching import IDLE, an_endpoint

NO_CONTROL_PLANE = "127.0.0.1:1"


@dataclass
class StandingReplicas:
    """CloudDriver over replicas that a test puts up by hand; it carries out nothing."""

    endpoints: list[ReplicaEndpoint] = field(default_factory=list)
    reading: EngineReading = IDLE
    region: RegionName = EAST

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        return DriverAnswer(progress=CommandProgress(), done=True)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        return CommandProgress()

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        """Nothing is ever under way."""

    def observe(self, now: datetime) -> RegionObservation:
        return RegionObservation(
            region=self.region, observed_at=now, pools=(), replicas=tuple(self.endpoints)
        )

    def readings(self) -> Mapping[str, EngineReading]:
        return {endpoint.address: self.reading for endpoint in self.endpoints}


def an_agent(folder: Path, driver: StandingReplicas, **changes: Any) -> Agent:
    """The agent of those replicas' region, not yet started."""
    values: dict[str, Any] = {
        "region": driver.region,
        "control_planes": (NO_CONTROL_PLANE,),
        "data_dir": folder,
        "local_listen": "127.0.0.1:0",
        "metrics_listen": "",
        "seed": 1,
        "power_safe": False,
        "dispatch": DispatchSettings(
            longest_hold=timedelta(seconds=3),
            beat=timedelta(milliseconds=20),
            feed=timedelta(milliseconds=50),
        ),
    }
    return build_agent(
        AgentSettings(**(values | changes)),
        a_catalogue(),
        now=SystemClock().now(),
        hands_of=lambda _: Hands(driver=driver, readings=driver.readings),
    )


@asynccontextmanager
async def a_dispatching_agent(
    folder: Path, driver: StandingReplicas, *, tick_seconds: float = 0.1, **changes: Any
) -> AsyncIterator[Agent]:
    """It ticks ten times a second, unless said, until the block ends."""
    agent, stop = an_agent(folder, driver, **changes), asyncio.Event()
    await agent.start()
    ticking = asyncio.create_task(agent.keep_ticking(SystemClock().now, tick_seconds, stop))
    try:
        yield agent
    finally:
        stop.set()
        await ticking
        await agent.stop(0)


async def _live(folder: Path, replicas: int) -> None:
    driver = StandingReplicas([an_endpoint(number) for number in range(replicas)])
    async with a_dispatching_agent(folder, driver) as agent:
        os.write(1, f"{os.getpid()} {agent.local_port}\n".encode())
        await asyncio.Event().wait()


def main() -> None:
    """Lives, one after the other, until standard input ends."""
    folder, replicas = Path(sys.argv[1]), int(sys.argv[2])
    spare = an_agent(folder / "spare", StandingReplicas())
    assert spare.room is not None
    spare.room.warm_up()
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(_live(folder, replicas))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
