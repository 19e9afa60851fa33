"""Chooses the control plane to call: one of several addresses, the leader if known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from heliostat.errors import HeliostatError, InvalidSettings, NotLeader, Unavailable
from heliostat.v1 import fleet_pb2_grpc, routing_pb2_grpc, usage_pb2_grpc
from services.binding import keepalive
from services.pem import certificates, key_pair

CALL_SECONDS = 30.0
"""How long a call that is no stream may take."""

PINGS = tuple(keepalive())
_OPTIONS = (
    # We reconnect ourselves; a channel must not wait longer than our own back-off.
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """PEM files of the agent's own certificate and of those it trusts."""

    ca: Path
    certificate: Path
    key: Path

    def credentials(self) -> grpc.ChannelCredentials:
        """Read anew for every connection, so that renewed files are taken up.

        Raises InvalidSettings naming the file.
        """
        chain, key = key_pair(
            "tls.certificate (HELIOSTAT_AGENT_TLS__CERTIFICATE)",
            self.certificate,
            "tls.key (HELIOSTAT_AGENT_TLS__KEY)",
            self.key,
        )
        return grpc.ssl_channel_credentials(
            root_certificates=certificates("tls.ca (HELIOSTAT_AGENT_TLS__CA)", self.ca),
            private_key=key,
            certificate_chain=chain,
        )


class Home:
    """The channel in use; `move_on` picks another after a failure."""

    def __init__(
        self,
        addresses: Sequence[str],
        tls: ClientTls | None,
        *,
        pings: Sequence[tuple[str, int]] = PINGS,
    ) -> None:
        if not addresses:
            raise InvalidSettings("control_planes", "contains no address")
        self._addresses = list(addresses)
        self._tls = tls
        self._options = (*_OPTIONS, *pings)
        self._address = self._addresses[0]
        self._channel: aio.Channel | None = None
        self._generation = 0

    @property
    def address(self) -> str:
        """The one in use."""
        return self._address

    @property
    def generation(self) -> int:
        """Grows with every move, so that of several failed tasks only the first moves."""
        return self._generation

    def usage(self) -> usage_pb2_grpc.UsageServiceAsyncStub:
        """Stub on the channel in use."""
        return usage_pb2_grpc.UsageServiceStub(self._open())

    def routing(self) -> routing_pb2_grpc.RoutingServiceAsyncStub:
        """Stub on the channel in use."""
        return routing_pb2_grpc.RoutingServiceStub(self._open())

    def fleet(self) -> fleet_pb2_grpc.FleetServiceAsyncStub:
        """Stub on the channel in use."""
        return fleet_pb2_grpc.FleetServiceStub(self._open())

    async def move_on(self, error: HeliostatError, generation: int) -> None:
        """After NotLeader to the named leader, after Unavailable or NotLeader without a name to the
        next address; other errors are no reason to move."""
        if generation != self._generation:
            return
        if isinstance(error, NotLeader) and error.leader:
            await self._move_to(error.leader)
        elif isinstance(error, NotLeader | Unavailable):
            place = self._addresses.index(self._address) if self._address in self._addresses else -1
            await self._move_to(self._addresses[(place + 1) % len(self._addresses)])

    async def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def _move_to(self, address: str) -> None:
        self._generation += 1
        if address != self._address:
            self._address = address
            await self.close()

    def _open(self) -> aio.Channel:
        if self._channel is None:
            if self._tls is None:
                self._channel = aio.insecure_channel(self._address, options=self._options)
            else:
                self._channel = aio.secure_channel(
                    self._address, self._tls.credentials(), options=self._options
                )
        return self._channel


async def check_end(call: aio.StreamStreamCall[Any, Any]) -> None:
    """Nothing when a stream ended well. Raises AioRpcError otherwise: a read says EOF for both."""
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise aio.AioRpcError(
            code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )


async def write_to(call: aio.StreamStreamCall[Any, Any], request: Any) -> None:
    """Write to a stream. Raises the call's error, or Unavailable, when it has ended meanwhile."""
    try:
        await call.write(request)
    except asyncio.InvalidStateError:
        await check_end(call)
        raise Unavailable("the control plane ended the stream") from None
