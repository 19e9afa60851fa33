"""Routes at the local API: the last good table, now and on every change.

Acknowledgements are logged and refusals counted here; the control plane hears the agent's own.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator

from heliostat.errors import InvalidInput, UnknownRegion, UnknownRoutingTable
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.v1 import routing_pb2, routing_pb2_grpc
from services.agent.board import RouteBoard
from services.agent.local_api.guard import Context, Guard, abort
from services.log_events import say
from services.translation.routing import table_to_wire

_log = logging.getLogger(__name__)


class LocalRouting(routing_pb2_grpc.RoutingServiceServicer):
    """Hands out the last good table of this region."""

    def __init__(self, board: RouteBoard, region: RegionName, guard: Guard) -> None:
        self._board = board
        self._region = region
        self._guard = guard
        self._refusing: set[object] = set()
        """The open streams whose gateway's last word was a refusal."""

    @property
    def refusing(self) -> int:
        """How many connected gateways refused the last table of which they spoke."""
        return len(self._refusing)

    async def WatchRoutes(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[routing_pb2.WatchRoutesRequest], context: Context
    ) -> AsyncIterator[routing_pb2.WatchRoutesResponse]:
        """The table on connect and on every change; acknowledgements are read beside it."""
        await self._guard.admit(context)
        first = await anext(request_iterator, None)
        if first is None or not first.HasField("subscribe"):
            await abort(context, InvalidInput("message", "the first request must be `subscribe`"))
        if first.subscribe.origin_region != self._region:
            await abort(
                context,
                UnknownRegion(
                    first.subscribe.origin_region, remedy=f"this agent serves {self._region}"
                ),
            )
        stream = object()
        reader = asyncio.create_task(
            self._hear(request_iterator, first.subscribe.gateway_id, stream)
        )
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
            self._refusing.discard(stream)

    async def GetRoutes(  # noqa: N802 - gRPC's name
        self, request: routing_pb2.GetRoutesRequest, context: Context
    ) -> routing_pb2.GetRoutesResponse:
        """The last good table, and nothing about gateways."""
        await self._guard.admit(context)
        table = self._board.table
        if table is None or not self._matches(request, table):
            wanted = f"{request.origin_region or self._region}@{request.version or 'newest'}"
            await abort(context, UnknownRoutingTable(wanted))
        return routing_pb2.GetRoutesResponse(tables=[table_to_wire(table)])

    def _matches(self, request: routing_pb2.GetRoutesRequest, table: RoutingTable) -> bool:
        region = request.origin_region in ("", self._region)
        return region and request.version in ("", table.version)

    async def _hear(
        self,
        requests: AsyncIterator[routing_pb2.WatchRoutesRequest],
        gateway: str,
        stream: object,
    ) -> None:
        async for request in requests:
            word = request.acknowledgement
            if word.accepted:
                self._refusing.discard(stream)
            else:
                self._refusing.add(stream)
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
