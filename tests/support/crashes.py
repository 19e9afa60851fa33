"""A life of an agent that ends at a step of one's choice: every call that leaves a trace is a step.

Nothing durable happens between two such calls, so dying before each of them covers every moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from heliostat.loops.agent import AgentLoop
from heliostat.model.command import Command
from heliostat.ports.agent import AgentJournal
from services.agent.drivers.vm.cloud import EngineProber, VmCloud
from services.agent.drivers.vm.memory import DriverMemory
from services.agent.hands import limits_of
from services.agent.meter import SilentMeter
from services.agent.settings import DriverSettings
from tests.builders import MINUTE
from tests.support.agents import EAST, a_driver

STEPS = {
    "receive",
    "acknowledge",
    "put_observation",
    "save",
    "list_vms",
    "buy",
    "release",
    "redeploy",
}


@dataclass
class Fate:
    """Dies before the step of that number; 0 = never."""

    step: int
    die: Callable[[], Any]
    taken: list[str] = field(default_factory=list)

    def before(self, what: str) -> None:
        self.taken.append(what)
        if len(self.taken) == self.step:
            self.die()


class Mortal:
    """Passes everything on to `inner`, unless fate steps in."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name not in STEPS:
            return value

        def call(*args: Any, **named: Any) -> Any:
            self._fate.before(name)
            return value(*args, **named)

        return call


def live(
    *,
    journal: AgentJournal,
    memory: DriverMemory,
    cloud: VmCloud,
    prober: EngineProber,
    fate: Fate,
    deliveries: Callable[[datetime], list[Command]],
    start: datetime,
    ticks: int,
    at: Callable[[datetime], object] = lambda _: None,
) -> datetime:
    """Ticks a minute apart until nothing is open, or `ticks` are over; returns when it stopped."""
    mortal = Mortal(journal, fate)
    driver = a_driver(
        Mortal(cloud, fate),
        Mortal(memory, fate),  # type: ignore[arg-type]  # wraps any port by name
        prober=prober,
        limits=limits_of(DriverSettings(chunk_size=2)),
    )
    loop = AgentLoop(region=EAST, journal=mortal, driver=driver, meter=SilentMeter())
    now = start
    for _ in range(ticks):
        at(now)
        if commands := deliveries(now):
            mortal.receive(commands)
        loop.tick(now)
        now += MINUTE
        if not journal.open_commands():
            break
    return now
