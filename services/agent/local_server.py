"""What local gateways talk to: routes from the journal and usage into it, with or without a control plane.

The same contract as the control plane's, so that a gateway needs one client. Acknowledgements of tables
are logged here; the control plane hears the agent's own.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator

from google.protobuf.message import Message
from grpc import aio
from grpc_status import rpc_status

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import (
    Forbidden,
    HeliostatError,
    InvalidInput,
    StorageUnavailable,
    UnknownRegion,
    UnknownRoutingTable,
)
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageReceipt
from heliostat.v1 import routing_pb2, routing_pb2_grpc, usage_pb2, usage_pb2_grpc
from services.agent.board import RouteBoard
from services.agent.journal.agent_journal import SqliteJournal
from services.translation.problems import problem_of, status_of
from services.translation.routing import table_to_wire
from services.translation.usage import batch_of_request, receipt_to_wire
from services.wording import say

_log = logging.getLogger(__name__)

_Context = aio.ServicerContext[Message, Message]


class LocalUsage(usage_pb2_grpc.UsageServiceServicer):
    """Takes batches of this region's gateways: journal first, then the answer."""

    def __init__(
        self,
        journal: SqliteJournal,
        catalogue: FleetCatalogue,
        region: RegionName,
        nudge: asyncio.Event,
    ) -> None:
        self._journal = journal
        self._catalogue = catalogue
        self._region = region
        self._nudge = nudge

    async def ReportUsage(  # noqa: N802  # gRPC's name
        self, request_iterator: AsyncIterator[usage_pb2.ReportUsageRequest], context: _Context
    ) -> AsyncIterator[usage_pb2.ReportUsageResponse]:
        """One answer per batch; what is wrong with a batch is its refusal, and the stream goes on."""
        async for request in request_iterator:
            try:
                receipt = await asyncio.to_thread(self._take, request)
            except StorageUnavailable as error:
                await context.abort_with_status(rpc_status.to_status(status_of(error)))
            except HeliostatError as error:
                yield await asyncio.to_thread(self._refusal, request.batch, error)
            else:
                self._nudge.set()
                yield receipt_to_wire(receipt, request.batch.sequence)

    def _take(self, request: usage_pb2.ReportUsageRequest) -> UsageReceipt:
        batch = batch_of_request(request, self._catalogue)
        if not batch.source_id.startswith(f"{self._region}/"):
            raise Forbidden(
                f"source {batch.source_id!r} is not of {self._region}",
                remedy=f"call it {self._region}/<name>",
            )
        if batch.source_id == self._journal.usage.source_id:
            raise InvalidInput("batch.source_id", f"{batch.source_id} is the agent's own")
        return self._journal.usage.take(batch)

    def _refusal(
        self, batch: usage_pb2.UsageBatch, error: HeliostatError
    ) -> usage_pb2.ReportUsageResponse:
        return usage_pb2.ReportUsageResponse(
            source_id=batch.source_id,
            incarnation=batch.incarnation,
            sequence=batch.sequence,
            durable_sequence=self._journal.usage.durable(batch.source_id, batch.incarnation),
            refusal=problem_of(error),
        )


class LocalRouting(routing_pb2_grpc.RoutingServiceServicer):
    """Hands out the last good table of this region."""

    def __init__(self, board: RouteBoard, region: RegionName) -> None:
        self._board = board
        self._region = region

    async def WatchRoutes(  # noqa: N802  # gRPC's name
        self, request_iterator: AsyncIterator[routing_pb2.WatchRoutesRequest], context: _Context
    ) -> AsyncIterator[routing_pb2.WatchRoutesResponse]:
        """The table on connect and on every change; acknowledgements are read beside it."""
        first = await anext(request_iterator, None)
        if first is None or not first.HasField("subscribe"):
            await _abort(context, InvalidInput("message", "the first request must be `subscribe`"))
        assert first is not None  # abort raised
        if first.subscribe.origin_region != self._region:
            await _abort(
                context, UnknownRegion(first.subscribe.origin_region, remedy=f"I am {self._region}")
            )
        reader = asyncio.create_task(_hear(request_iterator, first.subscribe.gateway_id))
        version: str | None = None
        try:
            while True:
                table = await self._board.after(version)
                version = table.version
                yield routing_pb2.WatchRoutesResponse(
                    table=table_to_wire(table), nonce=uuid.uuid4().hex
                )
        finally:
            reader.cancel()

    async def GetRoutes(  # noqa: N802  # gRPC's name
        self, request: routing_pb2.GetRoutesRequest, context: _Context
    ) -> routing_pb2.GetRoutesResponse:
        """The last good table, and nothing about gateways."""
        table = self._board.table
        if table is None or not self._matches(request, table):
            wanted = f"{request.origin_region or self._region}@{request.version or 'newest'}"
            await _abort(context, UnknownRoutingTable(wanted))
        assert table is not None  # abort raised
        return routing_pb2.GetRoutesResponse(tables=[table_to_wire(table)])

    def _matches(self, request: routing_pb2.GetRoutesRequest, table: RoutingTable) -> bool:
        region = request.origin_region in ("", self._region)
        return region and request.version in ("", table.version)


async def _hear(requests: AsyncIterator[routing_pb2.WatchRoutesRequest], gateway: str) -> None:
    async for request in requests:
        word = request.acknowledgement
        level = logging.DEBUG if word.accepted else logging.WARNING
        say(
            _log,
            "gateway_spoke",
            level=level,
            gateway=gateway,
            version=word.version,
            accepted=word.accepted,
            detail=word.detail,
        )


async def _abort(context: _Context, error: HeliostatError) -> None:
    await context.abort_with_status(rpc_status.to_status(status_of(error)))


def add_local_services(
    server: aio.Server,
    *,
    journal: SqliteJournal,
    board: RouteBoard,
    catalogue: FleetCatalogue,
    region: RegionName,
    nudge: asyncio.Event,
) -> None:
    """Put both services on a server; `nudge` is set when a batch was journalled."""
    # The generated base answers UNIMPLEMENTED for the two calls that only a control plane takes.
    usage = LocalUsage(journal, catalogue, region, nudge)  # type: ignore[abstract]
    usage_pb2_grpc.add_UsageServiceServicer_to_server(usage, server)
    routing_pb2_grpc.add_RoutingServiceServicer_to_server(LocalRouting(board, region), server)
