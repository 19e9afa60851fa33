"""What comes down: commands into the journal, routing tables that pass our checks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import DataLoss, HeliostatError, InvalidInput, StorageUnavailable
from heliostat.model.command import Command
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.v1 import fleet_pb2, routing_pb2
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.link.home import Home, check_end, write_to
from services.log_events import report
from services.translation.commands import command_from_wire
from services.translation.holds import life_to_wire
from services.translation.routing import table_from_wire

_log = logging.getLogger(__name__)


async def watch_commands(
    home: Home,
    journal: SqliteJournal,
    *,
    region: RegionName,
    agent_id: str,
    opened: Callable[[], None],
    heard: Callable[[], None],
    to_do: Callable[[], None],
) -> None:
    """Journal commands as they come, until the stream ends.

    `heard` is called after each message, `to_do` when it brought a command that was not here before or
    ended one; what only comes back changed by our own words is nothing to do.
    """
    held = await asyncio.to_thread(journal.open_commands)
    request = fleet_pb2.WatchCommandsRequest(
        region=region,
        agent_id=agent_id,
        open_command_ids=[c.command_id for c in held],
        agent=life_to_wire(journal.life),
    )
    call = home.fleet().WatchCommands(request)
    try:
        await call.wait_for_connection()
        opened()
        async for response in call:
            commands = commands_of(response.commands, region)
            if commands:
                news = await asyncio.to_thread(_received_news, journal, commands)
                if news:
                    to_do()
            heard()
    finally:
        call.cancel()


def _received_news(journal: SqliteJournal, commands: Sequence[Command]) -> bool:
    """Journal them; True when one is new here or has ended."""
    known = journal.knows({command.command_id for command in commands})
    journal.receive(commands)
    return not known or any(command.state.ended for command in commands)


def commands_of(messages: Iterable[fleet_pb2.Command], region: RegionName) -> list[Command]:
    """Those that can be read and are ours; the others are said aloud and left to their deadline."""
    commands = []
    for message in messages:
        try:
            command = command_from_wire("command", message)
            if command.region != region:
                raise InvalidInput("command.region", f"{command.region} is not {region}")
        except HeliostatError as error:
            report(_log, "command_unreadable", error, command=message.command_id)
        else:
            commands.append(command)
    return commands


async def watch_routes(
    home: Home,
    journal: SqliteJournal,
    board: RouteBoard,
    *,
    catalogue: FleetCatalogue,
    region: RegionName,
    agent_id: str,
    opened: Callable[[], None],
    heard: Callable[[], None],
) -> None:
    """Accept or refuse tables as they come, until the stream ends; `heard` is called after each."""
    call = home.routing().WatchRoutes()
    held = await asyncio.to_thread(journal.table)
    try:
        await call.wait_for_connection()
        await write_to(
            call,
            routing_pb2.WatchRoutesRequest(
                subscribe=routing_pb2.RouteSubscription(
                    origin_region=region,
                    gateway_id=agent_id,
                    held_version="" if held is None else held.version,
                )
            ),
        )
        opened()
        async for response in _messages(call):
            word = routing_pb2.RouteAcknowledgement(
                version=response.table.version, nonce=response.nonce, accepted=True
            )
            try:
                table = table_from_wire("table", response.table)
                check_table(table, region, catalogue)
                await asyncio.to_thread(journal.put_table, table)
                await board.publish(table)
            except (DataLoss, StorageUnavailable):
                # The table is good and could not be kept: the stream starts over, and brings it again.
                raise
            except HeliostatError as error:
                await board.refuse(response.table.version)
                word.accepted, word.detail = False, str(error)
                report(_log, "table_refused", error, version=word.version)
            await write_to(call, routing_pb2.WatchRoutesRequest(acknowledgement=word))
            heard()
    finally:
        call.cancel()


async def _messages(
    call: aio.StreamStreamCall[routing_pb2.WatchRoutesRequest, routing_pb2.WatchRoutesResponse],
) -> AsyncIterator[routing_pb2.WatchRoutesResponse]:
    """All answers; raises the call's error when it did not end well."""
    while isinstance(response := await call.read(), routing_pb2.WatchRoutesResponse):
        yield response
    await check_end(call)


def check_table(table: RoutingTable, region: RegionName, catalogue: FleetCatalogue) -> None:
    """A table that a gateway of ours could act on: for us, about regions and models that we know, every
    share with an ingress. Raises InvalidInput, UnknownRegion, UnknownModel."""
    if table.origin != region:
        raise InvalidInput("table.origin_region", f"{table.origin} is not {region}")
    for entry in table.entries:
        catalogue.model(entry.model)
        for name in entry.fallback:
            catalogue.region(name)
        for share in entry.shares:
            catalogue.region(share.serving)
            if share.weight_ppm and not share.ingress_endpoint:
                raise InvalidInput(
                    "table.entries", f"{entry.model}/{entry.tier}: {share.serving} has no ingress"
                )
