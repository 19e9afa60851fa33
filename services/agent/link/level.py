"""Synchronises journal and control plane up to now, for stepped time and for orderly shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from grpc import aio

from heliostat.errors import HeliostatError, NotFound, NotLeader, Unavailable
from heliostat.model.command import OPEN_STATES
from heliostat.model.names import RegionName
from heliostat.v1 import fleet_pb2, routing_pb2
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.link.down import commands_of
from services.agent.link.home import CALL_SECONDS, Home
from services.agent.link.keeper import domain_error, hung_up_as_unavailable, pause
from services.translation.enums import COMMAND_STATE
from services.translation.problems import error_of

_LOOK_AGAIN_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 0.2
_MOST_COMMANDS = 1000
_OPEN = tuple(COMMAND_STATE.to_wire(state) for state in OPEN_STATES)


class Level:
    """Asks what the control plane has, and waits until the link's streams have brought it."""

    def __init__(
        self,
        *,
        journal: SqliteJournal,
        board: RouteBoard,
        home: Home,
        region: RegionName,
        news: asyncio.Event,
    ) -> None:
        """`news` is set whenever commands may have come."""
        self._journal = journal
        self._board = board
        self._home = home
        self._region = region
        self._news = news

    async def received(self) -> None:
        """Until the newest table and every open command that the control plane has now are here."""
        await self._have_commands()
        await self._have_table()

    async def in_time(self, timeout_seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Once through `work`, from the beginning again while nobody answers; other errors end it.

        Raises Unavailable when the time is over; whatever was exchanged stays so.
        """
        problem: HeliostatError | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                while (problem := await _problem_with(work)) is not None:
                    await pause(_TRY_AGAIN_SECONDS)
        except TimeoutError:
            why = f": {problem}" if problem is not None else ""
            raise Unavailable(
                f"not in sync with {self._home.address} after {timeout_seconds:.0f} s{why}"
            ) from None

    async def _have_commands(self) -> None:
        answer = await self._home.fleet().ListCommands(
            fleet_pb2.ListCommandsRequest(
                region=self._region, states=_OPEN, page_size=_MOST_COMMANDS
            ),
            timeout=CALL_SECONDS,
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
            answer = await self._home.fleet().GetCommand(request, timeout=CALL_SECONDS)
            ended = commands_of([answer.command], self._region)
            await asyncio.to_thread(self._journal.receive, ended)

    async def _have_table(self) -> None:
        """Ask for the newest version until the stream has brought it: meanwhile there may be another."""
        request = routing_pb2.GetRoutesRequest(origin_region=self._region)
        while True:
            try:
                answer = await self._home.routing().GetRoutes(request, timeout=CALL_SECONDS)
            except aio.AioRpcError as failure:
                if isinstance(error_of(failure), NotFound):
                    return
                raise
            if all(table.version == self._board.judged for table in answer.tables):
                return
            await self._board.next_judgement(_LOOK_AGAIN_SECONDS)


async def _problem_with(work: Callable[[], Awaitable[None]]) -> NotLeader | Unavailable | None:
    """What kept the work from ending, if another try may help; None once it is done."""
    try:
        with hung_up_as_unavailable():
            await work()
    except (aio.AioRpcError, HeliostatError) as failure:
        problem = domain_error(failure)
        if isinstance(problem, NotLeader | Unavailable):
            return problem
        raise problem from failure
    return None
