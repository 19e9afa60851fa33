"""Interceptor of all calls: authentication, permission, leadership, and error mapping.

The one place where domain errors become gRPC status, and where refused writes are audited.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc import aio

from heliostat.errors import HeliostatError, NotLeader, Unavailable
from heliostat.v1.usage_pb2 import ReportUsageRequest
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics
from services.control_plane.permissions import Rule, check_role, rule_of
from services.control_plane.refusals import RefusalLog
from services.identity import Identity, identify, set_caller
from services.log_events import reason_fields, say
from services.messages import each_taken, reader, taken
from services.translation.problems import reason_of, status_of, unexpected_status
from services.translation.texts import check_texts

_log = logging.getLogger(__name__)

Context = aio.ServicerContext[Any, Any]
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the gatekeeper works with; `insecure` is who comes without TLS (None = nobody may)."""

    leader: Leader
    refusals: RefusalLog
    metrics: Metrics
    insecure: Identity | None
    max_message_bytes: int


class Gatekeeper(aio.ServerInterceptor):
    """Wraps every handler of Heliostat's services; health and reflection pass unchanged."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler with everything around it that all handlers need."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        rule = rule_of(method)
        return handler if rule is None else self._wrapped(method, rule, handler)

    def _wrapped(self, method: str, rule: Rule, handler: Any) -> Any:
        limit = self._gate.max_message_bytes
        deserialise = reader(handler.request_deserializer, limit, _check)
        call = _Call(self._gate, method, rule)
        if not handler.response_streaming:
            return grpc.unary_unary_rpc_method_handler(
                call.unary(handler.unary_unary), deserialise, _serialise
            )
        if not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(
                call.stream(handler.unary_stream, taken), deserialise, _serialise
            )
        return grpc.stream_stream_rpc_method_handler(
            call.stream(handler.stream_stream, each_taken), deserialise, _serialise
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """One method's calls."""

    gate: Gate
    method: str
    rule: Rule

    def unary(self, serve: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def guarded(request: Any, context: Context) -> Any:
            try:
                self._admit(context)
                response = await serve(taken(request), context)
                await self.gate.refusals.tell()
            except Exception as error:  # noqa: BLE001 - every error becomes a status here
                await self._refuse(error, context)
            self.gate.metrics.call_ended(self.method, "OK")
            return response

        return guarded

    def stream(
        self,
        serve: Callable[[Any, Context], AsyncIterator[Any]],
        take: Callable[[Any], Any],
    ) -> Any:
        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                self._admit(context)
                async for response in serve(take(request), context):
                    yield response
            except Exception as error:  # noqa: BLE001 - every error becomes a status here
                await self._refuse(error, context)
            self.gate.metrics.call_ended(self.method, "OK")

        return guarded

    def _admit(self, context: Context) -> None:
        identity = identify(context.auth_context(), insecure=self.gate.insecure)
        set_caller(identity)
        check_role(self.method, self.rule, identity)
        if self.rule.leader_only:
            self.gate.leader.epoch()

    async def _refuse(self, error: Exception, context: Context) -> None:
        if isinstance(error, aio.AbortError):
            raise error
        if not isinstance(error, HeliostatError):
            _log.error("call_failed", exc_info=error)
            await self._abort(unexpected_status(error), "INTERNAL", context)
            return
        say(_log, "call_refused", method=self.method, **reason_fields(error))
        if self.rule.writes and not isinstance(error, NotLeader | Unavailable):
            await self._audit(error, context)
        await self._abort(status_of(error), reason_of(error), context)

    async def _abort(self, status: status_pb2.Status, reason: str, context: Context) -> None:
        self.gate.metrics.call_ended(self.method, reason)
        details = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(_CODES[status.code], status.message, trailing_metadata=details)

    async def _audit(self, error: HeliostatError, context: Context) -> None:
        try:
            author = str(identify(context.auth_context(), insecure=self.gate.insecure))
        except HeliostatError:
            author = "unknown"
        await self.gate.refusals.note(
            author=author,
            action=_action_of(self.method),
            subject=str(getattr(error, "field", "")),
            detail=str(error),
            why=reason_of(error),
        )


def _action_of(method: str) -> str:
    """The call as audit records name it, done or refused: `/…/ScalePool` is scale-pool."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", method.rsplit("/", 1)[-1]).lower()


def _check(message: Any) -> None:
    if not isinstance(message, ReportUsageRequest):  # its reader checks the few texts
        check_texts(message)


def _serialise(message: Any) -> bytes:
    """Bytes that are ready go out as they are."""
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())
