"""Steps simulated time: a step begins when every actor has finished the last.

The turns at one instant are those of the simulator (`simulation.world.Turn`), in the same order, so
that both worlds decide alike; only that here reports and decisions travel over gRPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW
from services.agent.agent import Agent
from services.control_plane.ticks import Tick
from services.demo.bootstrap import Cast
from simulation.world import Rhythm
from storage.notify import Topic


class Coordinator:
    """Owns the demo's clock; everybody else reads it."""

    def __init__(self, cast: Cast, agents: Sequence[Agent], rhythm: Rhythm) -> None:
        self._cast = cast
        self._agents = agents
        self._rhythm = rhythm
        self._begins = self._served_until = cast.clock.now()
        self._news: set[Topic] = set()
        self._lock = Lock()
        self._mute = cast.feed.subscribe(self._hear)
        self._versions: dict[RegionName, str] = {}
        self.steps = 0
        self.published = 0
        """Routing tables that were published, each origin's counted."""

    def close(self) -> None:
        """Listen no more; repeatable."""
        self._mute()

    async def step(self, now: datetime) -> None:
        """Let everything of one instant happen, in order, and return when all have answered."""
        cast = self._cast
        cast.clock.advance_to(now)
        await asyncio.to_thread(self._serve, now)
        await asyncio.to_thread(self._each, lambda agent: agent.tick(now))
        await self._all(lambda agent: agent.link.send_all())
        for tick in self._due(now):
            await cast.plane.tick(tick, now)
        news = self._take_news()
        if Topic.ROUTING in news:
            await asyncio.to_thread(self._count_tables)
        if news & {Topic.ROUTING, Topic.COMMANDS}:
            await self._all(lambda agent: agent.link.receive_all())
        if Topic.COMMANDS in news:
            await asyncio.to_thread(self._each, lambda agent: agent.work(now))
        self.steps += 1

    def tables(self) -> Mapping[RegionName, RoutingTable]:
        """What the gateways of each region work with: the table that their agent accepted last."""
        held = {agent.region: agent.board.table for agent in self._agents}
        return {region: table for region, table in held.items() if table is not None}

    def _serve(self, now: datetime) -> None:
        """Every minute since the last step, with the tables that the gateways hold since then."""
        tables = self.tables()
        for minute in Span(self._served_until, now).steps(WINDOW):
            self._cast.estate.serve_minute(minute, tables)
            self._cast.accountant.close_minute(minute + WINDOW)
        self._served_until = now

    def _count_tables(self) -> None:
        for table in self._cast.plane.stores.routing.latest_tables():
            self.published += self._versions.get(table.origin) != table.version
            self._versions[table.origin] = table.version

    def _each(self, act: Callable[[Agent], None]) -> None:
        for agent in self._agents:
            act(agent)

    async def _all(self, act: Callable[[Agent], Awaitable[None]]) -> None:
        await asyncio.gather(*(act(agent) for agent in self._agents))

    def _due(self, now: datetime) -> Sequence[Tick]:
        rhythm, since = self._rhythm, now - self._begins
        cadence: tuple[tuple[Tick, timedelta | None], ...] = (
            (Tick.SETTLE, rhythm.step),
            (Tick.HOUSEKEEP, rhythm.housekeeping),
            (Tick.REFRESH, rhythm.forecasts),
            (Tick.SCORE, rhythm.scores),
            (Tick.REPLAN, rhythm.plans),
            (Tick.REROUTE, rhythm.routes),
        )
        return [tick for tick, every in cadence if every is not None and not since % every]

    def _hear(self, topic: Topic) -> None:
        with self._lock:
            self._news.add(topic)

    def _take_news(self) -> set[Topic]:
        with self._lock:
            news, self._news = self._news, set()
        return news
