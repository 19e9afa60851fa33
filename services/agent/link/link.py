"""Five tasks that keep journal and control plane in step, each starting over on its own when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.link.backoff import Backoff
from services.agent.link.down import watch_commands, watch_routes
from services.agent.link.home import Home
from services.agent.link.keeper import Keeper, Pause, pause, wait_for
from services.agent.link.level import Level
from services.agent.link.up import send_observation, send_usage, send_words

_LOOK_AGAIN_SECONDS = 1.0

Send = Callable[[Home, SqliteJournal, Callable[[], None]], Awaitable[None]]
"""Sends what waits, and calls the last argument after everything that was confirmed."""
SENDS: dict[str, Send] = {"usage": send_usage, "fleet": send_observation, "words": send_words}


class Link:
    """Run `run()` as a task; `nudge()` after a tick sends at once what the tick wrote."""

    def __init__(
        self,
        *,
        journal: SqliteJournal,
        board: RouteBoard,
        home: Home,
        catalogue: FleetCatalogue,
        region: RegionName,
        agent_id: str,
        chance: Random,
        pause: Pause = pause,
    ) -> None:
        self._journal = journal
        self._board = board
        self._home = home
        self._catalogue = catalogue
        self._region = region
        self._agent_id = agent_id
        self._nudges = {name: asyncio.Event() for name in SENDS}
        self._turns = {name: asyncio.Lock() for name in SENDS}
        self._news = asyncio.Event()
        self.commands_came = asyncio.Event()
        """Set when there are commands to work on; cleared by whoever works on them."""
        self._level = Level(journal=journal, board=board, home=home, region=region, news=self._news)
        self._keepers = {
            name: Keeper(name, home=home, backoff=Backoff(chance), pause=pause)
            for name in (*SENDS, "commands", "routes")
        }

    @property
    def up(self) -> bool:
        """True while every task's last attempt went well."""
        return all(keeper.well for keeper in self._keepers.values())

    @property
    def address(self) -> str:
        """The control plane in use."""
        return self._home.address

    @property
    def usage_came(self) -> asyncio.Event:
        """Set it when a gateway's batch was journalled."""
        return self._nudges["usage"]

    def nudge(self) -> None:
        """There may be something to send."""
        for event in self._nudges.values():
            event.set()

    async def run(self) -> None:
        """Until cancelled. Raises DataLoss when the journal breaks."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, keeper in self._keepers.items():
                    tasks.create_task(keeper.forever(self._attempt(name, keeper)))
        except ExceptionGroup as group:
            # Tasks end only when the journal is lost; whoever runs the agent wants that by its name.
            raise group.exceptions[0] from group
        finally:
            await self._home.close()

    async def catch_up(self, timeout_seconds: float = 60.0) -> None:
        """`send_all`, then `receive_all`; `run()` must be under way. Raises Unavailable."""
        await self.send_all(timeout_seconds)
        await self.receive_all(timeout_seconds)

    async def send_all(self, timeout_seconds: float = 60.0) -> None:
        """Until all that was journalled before is at the control plane.

        Raises Unavailable when that does not happen in time; whatever was exchanged stays so.
        """
        await self._level.in_time(timeout_seconds, self._send_all)

    async def receive_all(self, timeout_seconds: float = 60.0) -> None:
        """Until the newest table and every open command that the control plane has now are here.

        Raises Unavailable when that does not happen in time; whatever was exchanged stays so.
        """
        await self._level.in_time(timeout_seconds, self._level.received)

    async def _send_all(self) -> None:
        for name in SENDS:
            await self._send(name)

    async def _send(self, name: str) -> None:
        async with self._turns[name]:
            await SENDS[name](self._home, self._journal, self._keepers[name].worked)

    def _attempt(self, name: str, keeper: Keeper) -> Callable[[], Awaitable[None]]:
        if name in SENDS:
            return partial(self._keep_sending, name, keeper)
        watch = {"commands": self._watch_commands, "routes": self._watch_routes}[name]
        return partial(watch, keeper)

    async def _keep_sending(self, name: str, keeper: Keeper) -> None:
        nudge = self._nudges[name]
        while True:
            nudge.clear()
            await self._send(name)
            keeper.idle()
            await wait_for(nudge, _LOOK_AGAIN_SECONDS)

    async def _watch_commands(self, keeper: Keeper) -> None:
        def heard() -> None:
            keeper.worked()
            self._news.set()

        await watch_commands(
            self._home,
            self._journal,
            region=self._region,
            agent_id=self._agent_id,
            opened=keeper.stands,
            heard=heard,
            to_do=self.commands_came.set,
        )

    async def _watch_routes(self, keeper: Keeper) -> None:
        await watch_routes(
            self._home,
            self._journal,
            self._board,
            catalogue=self._catalogue,
            region=self._region,
            agent_id=self._agent_id,
            opened=keeper.stands,
            heard=keeper.worked,
        )
