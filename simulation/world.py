"""A simulated world: the real control loop, desk and agents around simulated clouds, step by step.

Nothing here decides. Turns at one instant come in a fixed order: the step that ends is served,
agents act and observe, they report, the control loop settles, forecasts, plans and routes, its
decisions are delivered, and agents act on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from heliostat.clock import SteppedClock
from heliostat.loops.agent import AgentLoop
from heliostat.loops.control import ControlLoop
from heliostat.loops.forecasts import ForecastLoop
from heliostat.loops.manual import ManualDesk
from heliostat.model.instants import check_instant, floor_to
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW
from heliostat.ports.agent import AgentJournal
from heliostat.ports.stores import Stores
from simulation.accounting import Accountant
from simulation.accounts import Accounts
from simulation.estate import Estate
from simulation.events import EventQueue
from simulation.link import DirectLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often each part of the control loop is called; all multiples of the step, and the step
    one of the engine's. Routes may be made more often than that, and are delivered when they are.

    `forecasts` or `scores` None = never (a policy that looks at no forecast).
    """

    step: timedelta = WINDOW
    forecasts: timedelta | None = timedelta(minutes=15)
    scores: timedelta | None = timedelta(hours=1)
    plans: timedelta = timedelta(minutes=15)
    routes: timedelta = timedelta(minutes=1)
    housekeeping: timedelta = timedelta(minutes=15)


class Turn(IntEnum):
    """The order of turns at one instant."""

    SERVE = 0
    OBSERVE = 1
    REPORT = 2
    SETTLE = 3
    HOUSEKEEP = 4
    FORECAST = 5
    SCORE = 6
    PLAN = 7
    ROUTE = 8
    DELIVER = 9
    ACT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAgent:
    """One region's agent: its loop, its memory, and its link to the control plane."""

    loop: AgentLoop
    journal: AgentJournal
    link: DirectLink


class SimulatedWorld:
    """Everything wired together; made by `simulation.bootstrap`."""

    def __init__(
        self,
        *,
        clock: SteppedClock,
        epoch: int,
        stores: Stores,
        loop: ControlLoop,
        forecasts: ForecastLoop,
        desk: ManualDesk,
        estate: Estate,
        agents: Mapping[RegionName, SimulatedAgent],
        rhythm: Rhythm,
    ) -> None:
        self.clock = clock
        self.epoch = epoch
        self.stores = stores
        self.loop = loop
        self.forecasts = forecasts
        self.desk = desk
        self.estate = estate
        self.agents = agents
        self.accountant = Accountant(estate)
        self._events: EventQueue[Turn] = EventQueue()
        self._every = _turns(rhythm, estate.engine.step)
        self._begin(clock.now())

    @property
    def now(self) -> datetime:
        """How far it was run."""
        return self.clock.now()

    def run_until(self, end: datetime) -> None:
        """Let everything happen up to and including `end`."""
        check_instant("end", end)
        for _ in self.steps(end):
            pass

    def steps(self, end: datetime) -> Iterator[datetime]:
        """The same, stopping after each instant at which something happened."""
        while (at := self._events.next_at) is not None and at <= end:
            self.clock.advance_to(at)
            for _, turn in self._events.due(at):
                self._take(turn, at)
                self._events.push(at + self._every[turn], turn, priority=turn)
            yield at
        self.clock.advance_to(end)

    def accounts(self) -> Accounts:
        """What the run cost and achieved so far."""
        return self.accountant.accounts(self.now)

    def tables(self) -> Mapping[RegionName, RoutingTable]:
        """The routing tables that the gateways of each origin hold."""
        held = {region: agent.journal.table() for region, agent in self.agents.items()}
        return {region: table for region, table in held.items() if table is not None}

    def _begin(self, now: datetime) -> None:
        """Everything but the first step's service happens once at the start."""
        for turn, every in self._every.items():
            first = now + every if turn is Turn.SERVE else now
            self._events.push(first, turn, priority=turn)

    def _take(self, turn: Turn, now: datetime) -> None:
        doing: dict[Turn, Callable[[datetime], object]] = {
            Turn.SERVE: self._serve,
            Turn.OBSERVE: lambda at: self._each(lambda agent: agent.loop.tick(at)),
            Turn.REPORT: lambda at: self._each(lambda agent: agent.link.report(at)),
            Turn.SETTLE: lambda at: self.loop.settle(at, epoch=self.epoch),
            Turn.HOUSEKEEP: lambda at: self.loop.housekeep(at),
            Turn.FORECAST: lambda at: self.forecasts.refresh(at, epoch=self.epoch),
            Turn.SCORE: lambda at: self.forecasts.score(at, epoch=self.epoch),
            Turn.PLAN: lambda at: self.loop.replan(at, epoch=self.epoch),
            Turn.ROUTE: lambda at: self.loop.reroute(at, epoch=self.epoch),
            Turn.DELIVER: lambda at: self._each(lambda agent: agent.link.deliver(at)),
            Turn.ACT: lambda at: self._each(lambda agent: agent.loop.work(at)),
        }
        doing[turn](now)

    def _serve(self, now: datetime) -> None:
        self.estate.serve(now - self._every[Turn.SERVE], self.tables())
        if now == floor_to(now, WINDOW):
            self.accountant.close_minute(now)

    def _each(self, act: Callable[[SimulatedAgent], object]) -> None:
        for agent in self.agents.values():
            act(agent)


def _turns(rhythm: Rhythm, served: timedelta) -> dict[Turn, timedelta]:
    """Every turn that happens, and how often."""
    every = dict.fromkeys(Turn, rhythm.step)
    every[Turn.SERVE] = served
    every[Turn.HOUSEKEEP] = rhythm.housekeeping
    every[Turn.PLAN], every[Turn.ROUTE] = rhythm.plans, rhythm.routes
    every[Turn.DELIVER] = min(rhythm.step, rhythm.routes)
    for turn, length in ((Turn.FORECAST, rhythm.forecasts), (Turn.SCORE, rhythm.scores)):
        if length is None:
            del every[turn]
        else:
            every[turn] = length
    return every
