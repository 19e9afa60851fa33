"""The local API: a gRPC server for journal and board, from `open` to `close`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from grpc import aio

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.v1 import dispatch_pb2_grpc, routing_pb2_grpc, usage_pb2_grpc
from services.agent.board import RouteBoard
from services.agent.dispatch.service import DispatchRoom
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.local_api.dispatch import LocalDispatch
from services.agent.local_api.guard import Guard
from services.agent.local_api.limits import MessageLimit
from services.agent.local_api.routing import LocalRouting
from services.agent.local_api.usage import LocalUsage
from services.agent.settings import ENV_PREFIX
from services.binding import bind, options_of
from services.configuration import ServerTlsSettings
from services.messages import MAX_MESSAGE_BYTES
from services.server_tls import server_credentials


class LocalApi:
    """Open it from a running event loop; a gateway needs the client that it has for control planes."""

    def __init__(
        self,
        listen: str,
        *,
        journal: SqliteJournal,
        board: RouteBoard,
        catalogue: FleetCatalogue,
        region: RegionName,
        control_planes: Sequence[str],
        room: DispatchRoom | None = None,
        tls: ServerTlsSettings | None = None,
        options: Sequence[tuple[str, int]] = tuple(options_of(MAX_MESSAGE_BYTES)),
    ) -> None:
        """`listen` empty = no local API; `control_planes` is where callers are sent with what an agent does
        not serve; without a `room` nobody dispatches; without `tls` it speaks plain
        text; `options` are gRPC's."""
        self._listen = listen
        self._journal = journal
        self._board = board
        self._catalogue = catalogue
        self._region = region
        self._control_planes = control_planes
        self._room = room
        self._tls = tls
        self._options = options
        self._server: aio.Server | None = None
        self._routing: LocalRouting | None = None
        self.port = 0
        """The real one while open, also where any free one was asked for; 0 = none."""

    @property
    def listens(self) -> bool:
        """False = there is no local API."""
        return bool(self._listen)

    @property
    def refusing_gateways(self) -> int:
        """How many connected gateways refused the last table of which they spoke."""
        return 0 if self._routing is None else self._routing.refusing

    async def open(self, nudge: asyncio.Event) -> None:
        """Answer from now on; `nudge` is set whenever a batch was journalled.

        Raises InvalidSettings when the port cannot be had, or a certificate not be used.
        """
        if not self._listen:
            return
        self._server = aio.server(interceptors=[MessageLimit()], options=self._options)
        guard = Guard(self._region, plain=self._tls is None)
        usage = LocalUsage(
            self._journal, self._catalogue, self._region, guard, nudge, self._control_planes
        )
        usage_pb2_grpc.add_UsageServiceServicer_to_server(usage, self._server)
        self._routing = LocalRouting(self._board, self._region, guard)
        routing_pb2_grpc.add_RoutingServiceServicer_to_server(self._routing, self._server)
        if self._room is not None:
            dispatch = LocalDispatch(self._room, self._catalogue, guard)
            dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(dispatch, self._server)
        self.port = bind(
            self._server,
            self._listen,
            self._credentials(),
            setting=f"local_listen ({ENV_PREFIX}LOCAL_LISTEN)",
        )
        await self._server.start()

    async def close(self, grace_seconds: float) -> None:
        """Take no more calls, and let open ones end within the grace."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace_seconds)

    def _credentials(self) -> grpc.ServerCredentials | None:
        if self._tls is None:
            return None
        return server_credentials(self._tls, section="local_tls", prefix=ENV_PREFIX)
