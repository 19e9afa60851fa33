"""Checks the stores every 15 minutes and reports what is new; tells the page the simulation speed."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from heliostat.clock import monotonic_seconds
from heliostat.model.command import CommandState
from heliostat.model.instants import Span
from heliostat.ports.stores import Stores
from services.dashboard.picture import Pulse
from services.demo.voice import Voice

_MANY = 10_000
_LATE = timedelta(seconds=1)
_REMEMBERED_STEPS = 120


class Witness:
    """Says each plan that orders something, and each order that did not end well, once."""

    def __init__(self, stores: Stores, voice: Voice) -> None:
        self._stores = stores
        self._voice = voice
        self._plan_version = 0
        self._told: set[str] = set()

    def look(self, now: datetime) -> None:
        """Say what is new."""
        plan = self._stores.plans.latest_plan()
        if plan is not None and plan.version != self._plan_version:
            self._plan_version = plan.version
            made = Span(plan.created_at, plan.created_at + _LATE)
            self._voice.plan(plan, self._stores.outbox.commands(created=made, limit=_MANY))
        for command in self._stores.outbox.commands(
            states=(CommandState.REFUSED, CommandState.EXPIRED), limit=_MANY
        ):
            if command.command_id not in self._told:
                self._told.add(command.command_id)
                self._voice.ended(command, command.ended_at or now)


class Tempo:
    """How far domain time has come and how fast it goes, from the steps of late."""

    def __init__(self, frame: Span) -> None:
        self._frame = frame
        self._steps: deque[tuple[float, datetime]] = deque(maxlen=_REMEMBERED_STEPS)
        self.stage = "starting"

    def stepped(self, now: datetime) -> None:
        """The step to that instant was done: everybody has answered."""
        self._steps.append((monotonic_seconds(), now))

    @property
    def now(self) -> datetime:
        """The last instant at which everybody had answered."""
        return self._steps[-1][1] if self._steps else self._frame.start

    @property
    def speed(self) -> float:
        """Domain seconds per real second; 0 while time stands still."""
        if len(self._steps) < 2 or self.now >= self._frame.end:
            return 0.0
        (began, first), (ended, last) = self._steps[0], self._steps[-1]
        return (last - first).total_seconds() / max(1e-9, ended - began)

    def pulse(self) -> Pulse:
        """What the page's head shows."""
        return Pulse(now=self.now, frame=self._frame, speed=self.speed, stage=self.stage)
