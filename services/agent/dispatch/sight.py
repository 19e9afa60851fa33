"""The agent's last observation of its replicas: written by its loop, read by the dispatcher.

The loop's thread writes, the event loop reads; a look is one value, whole or not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import BatchBacklog, RegionObservation, ReplicaEndpoint
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import PoolKey
from heliostat.ports.cloud import CloudDriver, DriverAnswer
from services.agent.drivers.vm.cloud import EngineProber, EngineReading

Readings = Callable[[], Mapping[str, EngineReading]]
"""The newest reading of every engine that was looked at, by address."""
ToldLaws = Callable[[], tuple[MeasuredLaw, ...]]
"""Laws that were refitted and are in force."""
Backlog = Callable[[datetime], tuple[BatchBacklog, ...]]
"""Batch requests that wait at an instant; () = not known."""


def no_backlog(_: datetime) -> tuple[BatchBacklog, ...]:
    """For agents that hold no batch requests: not known, not zero."""
    return ()


def no_readings() -> Mapping[str, EngineReading]:
    """For drivers whose replicas measure nothing: missing, not idle."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at the region's replicas; `at` = when it began, in seconds since 1970."""

    at: float
    endpoints: tuple[ReplicaEndpoint, ...]
    readings: Mapping[str, EngineReading] = field(default_factory=dict)
    """By address; an engine that is not in it was not looked at."""


class Sights(Protocol):
    """Where looks come from."""

    @property
    def latest(self) -> Sight | None:
        """The newest look; None before the first."""
        ...


class WatchedDriver:
    """Passes everything on to a driver, keeps what it observes, and adds what the dispatcher knows: the laws
    that observation made, and the batch requests that wait. Without the latter stays what the driver
    measured of them. Implements CloudDriver and Sights."""

    def __init__(
        self,
        driver: CloudDriver,
        readings: Readings,
        seconds: Callable[[], float],
        laws: ToldLaws = lambda: (),
        backlog: Backlog = no_backlog,
    ) -> None:
        self._driver = driver
        self._laws = laws
        self._backlog = backlog
        self._readings = readings
        self._seconds = seconds
        self._latest: Sight | None = None

    @property
    def latest(self) -> Sight | None:
        return self._latest

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        return self._driver.apply(command, now)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        return self._driver.abandon(command, now)

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        self._driver.abandon_others(commands, now)

    def observe(self, now: datetime) -> RegionObservation:
        began = self._seconds()
        observation = self._driver.observe(now)
        self._latest = Sight(
            at=began, endpoints=observation.replicas, readings=dict(self._readings())
        )
        return replace(
            observation,
            laws=self._laws(),
            batch_backlog=self._backlog(now) or observation.batch_backlog,
        )


class RememberingProber:
    """Passes every look at engines on, and keeps what they answered. Implements EngineProber."""

    def __init__(self, prober: EngineProber) -> None:
        self._prober = prober
        self._readings: Mapping[str, EngineReading] = {}

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        self._readings = self._prober.probe(engines)
        return self._readings

    def readings(self) -> Mapping[str, EngineReading]:
        """What the last look found."""
        return self._readings
