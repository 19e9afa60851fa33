"""Five tasks that keep journal and control plane in step, each starting over on its own when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from random import Random

from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import DataLoss, HeliostatError, NotFound, NotLeader, Unavailable
from heliostat.model.names import RegionName
from heliostat.v1 import fleet_pb2, routing_pb2
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.link.backoff import Backoff
from services.agent.link.down import commands_of, watch_commands, watch_routes
from services.agent.link.home import Home
from services.agent.link.up import send_observation, send_usage, send_words
from services.translation.problems import error_of
from services.wording import report, say

_log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 0.2
_CALL_SECONDS = 30.0
_MOST_COMMANDS = 1000
_OPEN = (
    fleet_pb2.CommandState.COMMAND_STATE_PENDING,
    fleet_pb2.CommandState.COMMAND_STATE_LEASED,
)

Send = Callable[[Home, SqliteJournal], Awaitable[None]]
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
        self._well: dict[str, bool] = {}
        self._backoffs = {name: Backoff(chance) for name in (*SENDS, "commands", "routes")}

    @property
    def up(self) -> bool:
        """True while every task's last attempt went well."""
        return len(self._well) == len(self._backoffs) and all(self._well.values())

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
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, send in SENDS.items():
                    tasks.create_task(self._forever(name, partial(self._keep_sending, name, send)))
                tasks.create_task(self._forever("commands", self._watch_commands))
                tasks.create_task(self._forever("routes", self._watch_routes))
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
        await self._in_time(timeout_seconds, self._send_all)

    async def _send_all(self) -> None:
        for name, send in SENDS.items():
            async with self._turns[name]:
                await send(self._home, self._journal)

    async def receive_all(self, timeout_seconds: float = 60.0) -> None:
        """Until the newest table and every open command that the control plane has now are here.

        Raises Unavailable when that does not happen in time; whatever was exchanged stays so.
        """
        await self._in_time(timeout_seconds, self._receive_all)

    async def _receive_all(self) -> None:
        await self._have_commands()
        await self._have_table()

    async def _in_time(self, timeout_seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Once through `work`, from the beginning again while nobody answers; other errors end it."""
        problem: HeliostatError | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    try:
                        with _moved_as_unavailable():
                            await work()
                    except (aio.AioRpcError, HeliostatError) as failure:
                        problem = _error_of(failure)
                        if not isinstance(problem, NotLeader | Unavailable):
                            raise problem from failure
                    else:
                        return
                    await _pause(_TRY_AGAIN_SECONDS)
        except TimeoutError:
            why = f": {problem}" if problem is not None else ""
            raise Unavailable(
                f"not level with {self._home.address} after {timeout_seconds:.0f} s{why}"
            ) from None

    # --- the five tasks ------------------------------------------------------------------------

    async def _forever(self, name: str, attempt: Callable[[], Awaitable[None]]) -> None:
        while True:
            generation = self._home.generation
            try:
                with _moved_as_unavailable():
                    await attempt()
            except (aio.AioRpcError, HeliostatError) as failure:
                error = _error_of(failure)
                if isinstance(error, DataLoss):
                    raise error from failure
                if self._well.get(name, True):
                    report(_log, "link_broken", error, task=name, address=self.address)
                self._well[name] = False
                await self._home.move_on(error, generation)
            await _pause(self._backoffs[name].next_seconds())

    def _went_well(self, name: str) -> None:
        if not self._well.get(name, False):
            say(_log, "link_up", task=name, address=self.address)
        self._well[name] = True
        self._backoffs[name].reset()

    async def _keep_sending(self, name: str, send: Send) -> None:
        nudge = self._nudges[name]
        while True:
            nudge.clear()
            async with self._turns[name]:
                await send(self._home, self._journal)
            self._went_well(name)
            await _wait(nudge, _LOOK_AGAIN_SECONDS)

    async def _watch_commands(self) -> None:
        await watch_commands(
            self._home,
            self._journal,
            region=self._region,
            agent_id=self._agent_id,
            connected=partial(self._went_well, "commands"),
            heard=self._news.set,
        )

    async def _watch_routes(self) -> None:
        await watch_routes(
            self._home,
            self._journal,
            self._board,
            catalogue=self._catalogue,
            region=self._region,
            agent_id=self._agent_id,
            connected=partial(self._went_well, "routes"),
        )

    # --- level with the control plane ----------------------------------------------------------

    async def _have_commands(self) -> None:
        answer = await self._home.fleet().ListCommands(
            fleet_pb2.ListCommandsRequest(
                region=self._region, states=_OPEN, page_size=_MOST_COMMANDS
            ),
            timeout=_CALL_SECONDS,
        )
        wanted = {command.command_id for command in answer.commands}
        await self._let_go_of_ended(wanted)
        while True:
            self._news.clear()
            if await asyncio.to_thread(self._journal.knows, wanted):
                return
            await self._news.wait()

    async def _let_go_of_ended(self, still_open: set[str]) -> None:
        """What we hold and the control plane has ended may have ended as cancelled: ask."""
        for held in await asyncio.to_thread(self._journal.open_commands):
            if held.command_id in still_open:
                continue
            request = fleet_pb2.GetCommandRequest(command_id=held.command_id)
            answer = await self._home.fleet().GetCommand(request, timeout=_CALL_SECONDS)
            ended = commands_of([answer.command], self._region)
            await asyncio.to_thread(self._journal.receive, ended)

    async def _have_table(self) -> None:
        """Ask for the newest version until the stream has brought it: meanwhile there may be another."""
        request = routing_pb2.GetRoutesRequest(origin_region=self._region)
        while True:
            try:
                answer = await self._home.routing().GetRoutes(request, timeout=_CALL_SECONDS)
            except aio.AioRpcError as failure:
                if isinstance(error_of(failure), NotFound):
                    return
                raise
            if all(table.version == self._board.judged for table in answer.tables):
                return
            await self._board.next_judgement(_LOOK_AGAIN_SECONDS)


def _error_of(failure: aio.AioRpcError | HeliostatError) -> HeliostatError:
    return error_of(failure) if isinstance(failure, aio.AioRpcError) else failure


@contextmanager
def _moved_as_unavailable() -> Iterator[None]:
    """A call that ends because another task moved on and hung up is worth another try.

    gRPC says so with the very error that also ends a task; only a task that was not asked to end
    goes on. Raises Unavailable.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the agent moved on to another control plane") from None
    except aio.UsageError as error:
        raise Unavailable(f"the agent hung up: {error}") from error


async def _pause(seconds: float) -> None:
    await _wait(asyncio.Event(), seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
