"""The port of cloud drivers, which carry out orders in one region's cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import RegionObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverAnswer:
    """The progress of an order; `done` when the pools are at their targets."""

    progress: CommandProgress
    done: bool


class CloudDriver(Protocol):
    """Carries out absolute targets in one region; safe to repeat at any moment, also after kill -9.

    Whatever it is about to do it journals first, so that a repeated call continues instead of
    doing it twice. A call does a bounded piece of work and returns; the loop calls again.
    """

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        """Advance the order by one bounded step.

        Releases drain first: a replica gets no new requests, finishes what runs, then goes. Raises
        CapacityUnavailable, QuotaExceeded, PurchaseRefused (the order ends, refused; what was got so far
        stays), Throttled, DriverUnavailable (try again later), UnknownPool.
        """
        ...

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        """Let go of an order (cancelled, superseded or expired) at a safe point: nothing new is
        ordered for it, what is under way becomes part of the pool. Repeatable."""
        ...

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        """Let go of every order under way that is none of these open ones: its command is gone, since
        another one came under the same id. Repeatable. Raises Throttled, DriverUnavailable."""
        ...

    def observe(self, now: datetime) -> RegionObservation:
        """The region's current state. Raises DriverUnavailable."""
        ...
