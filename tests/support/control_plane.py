"""A control plane of a few lines on loopback: takes what agents send, hands out what a test puts in."""

# ruff: noqa: N802  # the names of the calls are those of the wire

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import RLock
from typing import Any

from grpc import aio
from grpc_status import rpc_status

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput, RegionHeld, UnknownRoutingTable
from heliostat.model.command import Acknowledgement, Command
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageQuery
from heliostat.v1 import (
    fleet_pb2,
    fleet_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)
from services.binding import options_of
from services.messages import MAX_MESSAGE_BYTES
from services.translation.commands import command_to_wire, word_from_wire
from services.translation.fleet import observation_from_wire
from services.translation.problems import problem_of, status_of
from services.translation.routing import table_to_wire
from services.translation.usage import UsageReader, receipt_to_wire
from storage.memory.usage import MemoryUsage
from storage.notify import ChangeFeed


class ControlPlane(
    usage_pb2_grpc.UsageServiceServicer,
    fleet_pb2_grpc.FleetServiceServicer,
    routing_pb2_grpc.RoutingServiceServicer,
):
    """Its memory outlives `stop` and `start`, which keep the port."""

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self.catalogue = catalogue
        self.history = MemoryUsage(ChangeFeed(), RLock())
        self.commands: dict[str, Command] = {}
        self.words: list[Acknowledgement] = []
        self.observations: list[fleet_pb2.RegionObservation] = []
        self.observed = asyncio.Event()
        self.table: RoutingTable | None = None
        self.judgements: list[routing_pb2.RouteAcknowledgement] = []
        self.raising: HeliostatError | None = None
        """What every leader's call ends with, if anything."""
        self.refusing_sources: set[str] = set()
        self.refusing_sequences: set[int] = set()
        """Batches that are no empty ones and have one of these numbers are refused for good."""
        self.clock_off = False
        self.refusing_words: set[str] = set()
        """Commands of which it takes no word."""
        self.held_by_another = False
        """Another agent holds the region: it takes no word at all."""
        self.port = 0
        self._news = asyncio.Condition()
        self._server: aio.Server | None = None

    def forget_usage(self) -> None:
        """As after a restored backup that knew nothing."""
        self.history = MemoryUsage(ChangeFeed(), RLock())

    async def start(self) -> None:
        self._server = aio.server(options=options_of(MAX_MESSAGE_BYTES))
        usage_pb2_grpc.add_UsageServiceServicer_to_server(self, self._server)
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(self, self._server)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def order(self, *commands: Command) -> None:
        async with self._news:
            self.commands.update({command.command_id: command for command in commands})
            self._news.notify_all()

    async def publish(self, table: RoutingTable) -> None:
        async with self._news:
            self.table = table
            self._news.notify_all()

    def offered(self, query: UsageQuery) -> int:
        return sum(bucket.offered for bucket in self.history.query(query))

    # --- the wire ------------------------------------------------------------------------------

    async def ReportUsage(
        self, request_iterator: AsyncIterator[usage_pb2.ReportUsageRequest], context: Any
    ) -> AsyncIterator[usage_pb2.ReportUsageResponse]:
        await self._maybe_raise(context)
        async for request in request_iterator:
            try:
                batch = UsageReader(self.catalogue).request(request)
                if self.clock_off and len(batch):
                    raise InvalidInput("batch.window_start_seconds", "starts in the future")
                refused = batch.sequence in self.refusing_sequences
                if len(batch) and (refused or batch.source_id in self.refusing_sources):
                    raise InvalidInput("batch", "not today")
                (receipt,) = self.history.record([batch])
            except HeliostatError as error:
                held = self.history.durable_sequence(
                    request.batch.source_id, request.batch.incarnation
                )
                yield usage_pb2.ReportUsageResponse(
                    source_id=request.batch.source_id,
                    incarnation=request.batch.incarnation,
                    sequence=request.batch.sequence,
                    durable_sequence=held,
                    refusal=problem_of(error),
                )
            else:
                yield receipt_to_wire(receipt, batch.sequence)

    async def WatchCommands(
        self, request: fleet_pb2.WatchCommandsRequest, context: Any
    ) -> AsyncIterator[fleet_pb2.WatchCommandsResponse]:
        await self._maybe_raise(context)
        sent: dict[str, Command] = {}
        while True:
            fresh = [c for key, c in sorted(self.commands.items()) if sent.get(key) != c]
            sent.update({command.command_id: command for command in fresh})
            yield fleet_pb2.WatchCommandsResponse(commands=[command_to_wire(c) for c in fresh])
            async with self._news:
                await self._news.wait_for(lambda: sent != self.commands)

    async def ListCommands(
        self, request: fleet_pb2.ListCommandsRequest, context: Any
    ) -> fleet_pb2.ListCommandsResponse:
        commands = [command_to_wire(c) for c in self.commands.values() if not c.state.ended]
        return fleet_pb2.ListCommandsResponse(commands=commands)

    async def GetCommand(
        self, request: fleet_pb2.GetCommandRequest, context: Any
    ) -> fleet_pb2.GetCommandResponse:
        command = command_to_wire(self.commands[request.command_id])
        return fleet_pb2.GetCommandResponse(command=command)

    async def AcknowledgeCommand(
        self, request: fleet_pb2.AcknowledgeCommandRequest, context: Any
    ) -> fleet_pb2.AcknowledgeCommandResponse:
        await self._maybe_raise(context)
        if request.command_id in self.refusing_words:
            await _abort(context, InvalidInput("at", "not today"))
        if self.held_by_another:
            await _abort(context, RegionHeld("east is held by another agent"))
        self.words.append(word_from_wire(request))
        return fleet_pb2.AcknowledgeCommandResponse()

    async def ReportFleet(
        self, request: fleet_pb2.ReportFleetRequest, context: Any
    ) -> fleet_pb2.ReportFleetResponse:
        await self._maybe_raise(context)
        try:
            observation_from_wire("observation", request.observation, self.catalogue)
        except HeliostatError as error:
            await _abort(context, error)
        self.observations.append(request.observation)
        self.observed.set()
        return fleet_pb2.ReportFleetResponse(newest=True)

    async def WatchRoutes(
        self, request_iterator: AsyncIterator[routing_pb2.WatchRoutesRequest], context: Any
    ) -> AsyncIterator[routing_pb2.WatchRoutesResponse]:
        await anext(request_iterator)
        reader = asyncio.create_task(self._hear(request_iterator))
        seen: RoutingTable | None = None
        try:
            while True:
                async with self._news:
                    while self.table is None or self.table == seen:
                        await self._news.wait()
                    seen = self.table
                yield routing_pb2.WatchRoutesResponse(table=table_to_wire(seen), nonce="n")
        finally:
            reader.cancel()

    async def GetRoutes(
        self, request: routing_pb2.GetRoutesRequest, context: Any
    ) -> routing_pb2.GetRoutesResponse:
        if self.table is None:
            await _abort(context, UnknownRoutingTable(request.origin_region))
        assert self.table is not None
        return routing_pb2.GetRoutesResponse(tables=[table_to_wire(self.table)])

    async def _hear(self, requests: AsyncIterator[routing_pb2.WatchRoutesRequest]) -> None:
        async for request in requests:
            self.judgements.append(request.acknowledgement)

    async def _maybe_raise(self, context: Any) -> None:
        if self.raising is not None:
            # The caller is connected by now: a refusal comes later than that.
            await context.send_initial_metadata(())
            await _abort(context, self.raising)


async def _abort(context: Any, error: HeliostatError) -> None:
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
