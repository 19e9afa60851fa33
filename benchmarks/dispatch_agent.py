"""An agent over a thousand replicas in a process of its own: `python -m benchmarks.dispatch_agent`.

Takes one JSON line of settings on standard input, answers with its address, then obeys lines: `counts`
tells what it decided and its CPU seconds, `stop` ends it. Answers are JSON lines on standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SystemClock, cpu_seconds
from heliostat.gc_tuning import collect_in_small_parts
from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import RegionObservation, ReplicaEndpoint
from heliostat.model.names import ModelName, PoolKey, RegionName
from heliostat.ports.cloud import DriverAnswer
from services.agent.bootstrap import build_agent
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.hands import Hands
from services.agent.settings import AgentSettings
from services.turns import take_short_turns
from storage.catalogue_file import read_catalogue

_EXAMPLE = Path(__file__).parents[1] / "deploy" / "catalogue.yaml"


class Engines:
    """CloudDriver over ready replicas of one model; each says that it runs what is booked on it."""

    def __init__(self, catalogue: FleetCatalogue, model: ModelName, replicas: int) -> None:
        region = catalogue.regions[0].name
        pools = [p.key for p in catalogue.pools if (p.key.region, p.key.model) == (region, model)]
        self.region: RegionName = region
        self.endpoints = tuple(_endpoint(pools[n % len(pools)], n) for n in range(replicas))
        reading = EngineReading(
            healthy=True, running_requests=4, waiting_requests=0, kv_occupancy=0.05
        )
        self._readings = {endpoint.address: reading for endpoint in self.endpoints}

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        """Nothing to carry out."""
        return DriverAnswer(progress=CommandProgress(), done=True)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        """Nothing to let go."""
        return CommandProgress()

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        """Nothing to let go."""

    def observe(self, now: datetime) -> RegionObservation:
        """The same replicas every time."""
        return RegionObservation(
            region=self.region, observed_at=now, pools=(), replicas=self.endpoints
        )

    def readings(self) -> Mapping[str, EngineReading]:
        """The same load every time."""
        return self._readings


def _endpoint(pool: PoolKey, number: int) -> ReplicaEndpoint:
    return ReplicaEndpoint(
        replica_id=f"vm-{number}", pool=pool, address=f"10.0.{number // 250}.{number % 250}:8000"
    )


async def main() -> None:
    """Serve until told to stop."""
    wishes = json.loads(await _line())
    catalogue = read_catalogue(_EXAMPLE)
    engines = Engines(catalogue, ModelName(wishes["model"]), wishes["replicas"])
    clock, stop = SystemClock(), asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        settings = AgentSettings(
            region=engines.region,
            control_planes=("127.0.0.1:1",),
            data_dir=Path(folder),
            local_listen="127.0.0.1:0",
            metrics_listen="",
            seed=1,
            log_level="error",
        )
        agent = build_agent(
            settings,
            catalogue,
            now=clock.now(),
            hands_of=lambda _: Hands(driver=engines, readings=engines.readings),
        )
        await agent.start()
        ticking = asyncio.create_task(
            agent.keep_ticking(clock.now, settings.tick.total_seconds(), stop)
        )
        collect_in_small_parts()
        take_short_turns()
        _say(address=f"127.0.0.1:{agent.local_port}")
        assert agent.room is not None
        while (order := (await _line()).strip()) != "stop":
            if order != "counts":
                raise ValueError(f"nobody knows the order {order!r}")
            booked = agent.room.booked
            _say(counts=asdict(agent.room.tally.counts), booked=booked, cpu_seconds=cpu_seconds())
        stop.set()
        await ticking
        await agent.stop(0)


async def _line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def _say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
