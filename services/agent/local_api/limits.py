"""Refuses messages at the local API that are too large or broken, by the same typed errors as a control
plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from heliostat.errors import HeliostatError
from services.agent.local_api.guard import Context, abort
from services.messages import MAX_MESSAGE_BYTES, each_taken, reader, taken


class MessageLimit(aio.ServerInterceptor):
    """Wraps every handler of the local API."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler, reading messages up to the limit."""
        handler = await continuation(handler_call_details)
        return None if handler is None else _limited(handler)


def _limited(handler: Any) -> Any:
    read, write = (
        reader(handler.request_deserializer, MAX_MESSAGE_BYTES),
        handler.response_serializer,
    )
    if not handler.response_streaming:
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary), read, write)
    if not handler.request_streaming:
        stream = _stream(handler.unary_stream, taken)
        return grpc.unary_stream_rpc_method_handler(stream, read, write)
    stream = _stream(handler.stream_stream, each_taken)
    return grpc.stream_stream_rpc_method_handler(stream, read, write)


def _unary(serve: Callable[[Any, Context], Awaitable[Any]]) -> Any:
    async def limited(request: Any, context: Context) -> Any:
        try:
            message = taken(request)
        except HeliostatError as error:
            await abort(context, error)
        return await serve(message, context)

    return limited


def _stream(serve: Callable[[Any, Context], AsyncIterator[Any]], take: Callable[[Any], Any]) -> Any:
    async def limited(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            async for response in serve(take(request), context):
                yield response
        except HeliostatError as error:
            await abort(context, error)

    return limited
