"""RoutingService: hands tables to gateways and hears what they make of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName
from heliostat.v1 import routing_pb2, routing_pb2_grpc
from services.control_plane.desk import Desk
from services.control_plane.lags import ConnectedGateway, TableAge
from services.identity import caller
from services.translation.fields import required_text
from services.translation.names import known_region
from services.translation.routing import (
    acknowledgement_from_wire,
    gateway_to_wire,
    table_to_wire,
)


class RoutingServicer(routing_pb2_grpc.RoutingServiceServicer):
    """Serves the conversation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def WatchRoutes(  # type: ignore[override]  # ready bytes, the gatekeeper lets them pass
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[bytes]:
        wish = await self._subscribe(request_iterator)
        with self._gateway_of(wish) as gateway:
            watch = _Watch(self._desk, gateway, only_looks=wish.only_looks)
            hearing = asyncio.create_task(watch.listen(request_iterator))
            hearing.add_done_callback(watch.heard)
            try:
                async for response in watch.tables():
                    yield response
            finally:
                hearing.cancel()

    async def GetRoutes(
        self, request: routing_pb2.GetRoutesRequest, context: Any
    ) -> routing_pb2.GetRoutesResponse:
        ledger, read = self._desk.stores.routing, self._desk.threads.read
        if not request.origin_region:
            if request.version:
                raise InvalidInput("version", "requires origin_region")
            tables = await read(ledger.latest_tables)
            acks = await read(ledger.routing_acks)
        else:
            origin = known_region("origin_region", request.origin_region, self._desk.catalogue)
            tables = (await read(lambda: ledger.table(origin, request.version)),)
            acks = await read(lambda: ledger.routing_acks(origin))
        return routing_pb2.GetRoutesResponse(
            tables=[table_to_wire(self._desk.routes.complete(table)) for table in tables],
            gateways=[gateway_to_wire(ack) for ack in acks],
        )

    async def _subscribe(self, requests: Any) -> routing_pb2.RouteSubscription:
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "subscribe":
            raise InvalidInput("subscribe", "must be the first message of the stream")
        wish: routing_pb2.RouteSubscription = first.subscribe
        origin = known_region("subscribe.origin_region", wish.origin_region, self._desk.catalogue)
        caller().speak_for(origin)
        required_text("subscribe.gateway_id", wish.gateway_id)
        return wish

    def _gateway_of(
        self, wish: routing_pb2.RouteSubscription
    ) -> AbstractContextManager[ConnectedGateway]:
        """Among the connected ones while the stream lasts; who only looks is none of them."""
        region = RegionName(wish.origin_region)
        if wish.only_looks:
            return nullcontext(ConnectedGateway(region=region, gateway=wish.gateway_id))
        return self._desk.routes.gateways.connected(region, wish.gateway_id)


class _Watch:
    """One gateway's stream: what was sent to it last, and what it said."""

    def __init__(self, desk: Desk, gateway: ConnectedGateway, *, only_looks: bool) -> None:
        self._desk = desk
        self._gateway = gateway
        self._origin = gateway.region
        self._only_looks = only_looks
        self._nonce = 0
        self._last: TableAge | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def tables(self) -> AsyncIterator[bytes]:
        """The newest table now and whenever there is a newer one, as ready responses."""
        seen, hub = "", self._desk.routes
        hub.watchers += 1
        try:
            while self._failure is None:
                table = hub.newest(self._origin)
                if table is None or table.version == seen:
                    self._waiting = hub.news(self._origin)
                    await self._waiting
                    continue
                seen = table.version
                self._nonce += 1
                self._last = table.age
                self._gateway.sent(table.age)
                yield table.response(str(self._nonce))
            raise self._failure
        finally:
            hub.watchers -= 1

    def heard(self, hearing: asyncio.Task[None]) -> None:
        """The gateway stopped talking; when that was for an error, the tables stop too."""
        if hearing.cancelled():
            return
        self._failure = hearing.exception()
        if self._failure is not None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def listen(self, requests: Any) -> None:
        """Keep every word on the table sent last; words on earlier ones come too late to matter."""
        async for request in requests:
            if request.WhichOneof("message") != "acknowledgement":
                raise InvalidInput("message", "only the first message may subscribe")
            word = request.acknowledgement
            if self._last is None or self._only_looks or word.nonce != str(self._nonce):
                continue
            ack = acknowledgement_from_wire(
                "acknowledgement",
                word,
                origin=self._origin,
                gateway_id=self._gateway.gateway,
                at=self._desk.clock.now(),
            )
            self._gateway.said(self._last, accepted=ack.accepted)
            self._desk.routes.heard(ack)
