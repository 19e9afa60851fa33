"""The connection to a control plane: TLS where asked for, typed errors instead of gRPC's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from heliostat.errors import HeliostatError, InvalidSettings
from services.addresses import check_target, is_loopback
from services.cli.connection import Connection

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    from heliostat.v1 import (
        audit_pb2_grpc,
        dispatch_pb2_grpc,
        fleet_pb2_grpc,
        forecast_pb2_grpc,
        plan_pb2_grpc,
        routing_pb2_grpc,
        usage_pb2_grpc,
    )

CALL_SECONDS = 60.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
LARGEST_PAGE = 500
"""No list answers with more at once."""

Answer = TypeVar("Answer")


class Client:
    """Stubs of every service, opened when first used; a failed call raises the server's own error."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # gRPC's own lines on a failed handshake say nothing that the error does not say better. It reads
        # this when it is imported, which nothing has done yet.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        self._open: grpc.Channel | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            self._open.close()

    @property
    def usage(self) -> usage_pb2_grpc.UsageServiceStub:
        """Usage."""
        from heliostat.v1 import usage_pb2_grpc

        return usage_pb2_grpc.UsageServiceStub(self._channel())

    @property
    def routes(self) -> routing_pb2_grpc.RoutingServiceStub:
        """Routing tables."""
        from heliostat.v1 import routing_pb2_grpc

        return routing_pb2_grpc.RoutingServiceStub(self._channel())

    @property
    def fleet(self) -> fleet_pb2_grpc.FleetServiceStub:
        """Fleet, commands and overrides."""
        from heliostat.v1 import fleet_pb2_grpc

        return fleet_pb2_grpc.FleetServiceStub(self._channel())

    @property
    def forecasts(self) -> forecast_pb2_grpc.ForecastServiceStub:
        """Forecasts."""
        from heliostat.v1 import forecast_pb2_grpc

        return forecast_pb2_grpc.ForecastServiceStub(self._channel())

    @property
    def plans(self) -> plan_pb2_grpc.PlanServiceStub:
        """Plans and modes."""
        from heliostat.v1 import plan_pb2_grpc

        return plan_pb2_grpc.PlanServiceStub(self._channel())

    @property
    def audit(self) -> audit_pb2_grpc.AuditServiceStub:
        """Who did what."""
        from heliostat.v1 import audit_pb2_grpc

        return audit_pb2_grpc.AuditServiceStub(self._channel())

    @property
    def dispatch(self) -> dispatch_pb2_grpc.DispatchServiceStub:
        """Single requests; agents serve it, control planes do not."""
        from heliostat.v1 import dispatch_pb2_grpc

        return dispatch_pb2_grpc.DispatchServiceStub(self._channel())

    def call(self, method: Callable[..., Answer], request: Message) -> Answer:
        """One answer. Raises the HeliostatError that the server raised."""
        import grpc

        try:
            return method(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            raise self._error_of(error) from error

    def stream(self, method: Callable[..., Iterator[Answer]], request: Any) -> Iterator[Answer]:
        """Answers as they come; `request` is one message, or an iterator where both sides stream."""
        import grpc

        try:
            yield from method(request)
        except grpc.RpcError as error:
            raise self._error_of(error) from error

    def rows(self, method: Callable[..., Any], request: Any, *, of: str, limit: int) -> list[Any]:
        """The first `limit` messages in the field `of`, over as many pages as that takes."""
        return self._pages(method, request, of, limit)[0]

    def counted(
        self, method: Callable[..., Any], request: Any, *, of: str, limit: int
    ) -> tuple[list[Any], int]:
        """The same, and how many there are in all where the server counts (else how many it gave)."""
        found, last = self._pages(method, request, of, limit)
        return found, last.total_size if last.HasField("total_size") else len(found)

    def _pages(
        self, method: Callable[..., Any], request: Any, of: str, limit: int
    ) -> tuple[list[Any], Any]:
        """The first messages, and the last page that was read."""
        found: list[Any] = []
        while True:
            request.page_size = min(limit - len(found), LARGEST_PAGE)
            page = self.call(method, request)
            found += getattr(page, of)
            if not page.next_page_token or len(found) >= limit:
                return found[:limit], page
            request.page_token = page.next_page_token

    def _error_of(self, failed: grpc.RpcError) -> HeliostatError:
        """The server's own error, or a plain explanation of why there was no answer."""
        from services.cli.unanswered import unanswered, unserved
        from services.translation.problems import error_of, was_answered, was_unknown

        if was_unknown(failed):
            return unserved(self._connection)
        if was_answered(failed):
            return error_of(failed)
        return unanswered(self._connection, str(failed.details()))

    def _channel(self) -> grpc.Channel:
        if self._open is None:
            self._open = open_channel(self._connection)
        return self._open


def open_channel(connection: Connection) -> grpc.Channel:
    """A channel. Raises InvalidSettings on an address or a file that cannot be used, on half-given TLS,
    and on plain text beyond loopback."""
    import grpc

    from services.binding import keepalive

    # A watch notices when the control plane's host is gone.
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), *keepalive()]
    try:
        check_target(connection.address)
    except ValueError as error:
        raise InvalidSettings(
            connection.option("address"),
            str(error),
            remedy="use an address such as plane.example:7443",
        ) from None
    if not any((connection.tls_ca, connection.tls_cert, connection.tls_key)):
        if not (connection.insecure or is_loopback(connection.address)):
            raise InvalidSettings(
                connection.option("tls-ca"),
                f"{connection.address} is not this machine, and plain text is not encrypted",
                remedy="give --tls-ca, --tls-cert and --tls-key, or --insecure on a trusted network",
            )
        return grpc.insecure_channel(connection.address, options=options)
    return grpc.secure_channel(connection.address, _credentials(connection), options=options)


def _credentials(connection: Connection) -> grpc.ChannelCredentials:
    import grpc

    # Imported here, since most commands on loopback need no certificates.
    from services.pem import certificates, key_pair

    ca, cert, key = connection.tls_ca, connection.tls_cert, connection.tls_key
    if cert is None and key is None:
        chain = secret = None
    elif cert is None or key is None:
        raise InvalidSettings(connection.option("tls-cert"), "needs --tls-key")
    else:
        chain, secret = key_pair(
            connection.option("tls-cert"), cert, connection.option("tls-key"), key
        )
    return grpc.ssl_channel_credentials(
        root_certificates=None if ca is None else certificates(connection.option("tls-ca"), ca),
        private_key=secret,
        certificate_chain=chain,
    )
