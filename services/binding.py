"""Options that all gRPC servers share, keep-alive pings of both sides, and binding a server's port."""

from __future__ import annotations

from datetime import timedelta

import grpc
from grpc import aio

from heliostat.errors import InvalidSettings

PING_EVERY = timedelta(seconds=30)
PING_ANSWERED_WITHIN = timedelta(seconds=10)
MOST_PINGED = timedelta(seconds=5)
"""Servers hang up on clients that ping more often than this where nothing is said."""
_MILLISECOND = timedelta(milliseconds=1)


def options_of(
    max_message_bytes: int,
    *,
    ping_every: timedelta = PING_EVERY,
    answered_within: timedelta = PING_ANSWERED_WITHIN,
) -> list[tuple[str, int]]:
    """Options of a server: pings that end the streams of hosts that vanished, and room above the message
    limit. Within the room the refusal is ours (`services.messages`), above it gRPC's own."""
    return [
        ("grpc.max_receive_message_length", 4 * max_message_bytes),
        ("grpc.max_send_message_length", -1),
        *keepalive(ping_every=ping_every, answered_within=answered_within),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", MOST_PINGED // _MILLISECOND),
        ("grpc.so_reuseport", 0),
    ]


def keepalive(
    *, ping_every: timedelta = PING_EVERY, answered_within: timedelta = PING_ANSWERED_WITHIN
) -> list[tuple[str, int]]:
    """Options of either side that notice within the sum of both lengths that the other's host vanished."""
    return [
        ("grpc.keepalive_time_ms", ping_every // _MILLISECOND),
        ("grpc.keepalive_timeout_ms", answered_within // _MILLISECOND),
        # A time-out of its own, a minute where nothing is said, before the one above counts.
        ("grpc.http2.ping_timeout_ms", answered_within // _MILLISECOND),
        # Else a stream on which nothing is said is no longer pinged after the second time.
        ("grpc.http2.max_pings_without_data", 0),
    ]


def bind(
    server: aio.Server, address: str, credentials: grpc.ServerCredentials | None, *, setting: str
) -> int:
    """The port that it got; `setting` is what an operator calls the address, with its variable.

    Raises InvalidSettings when the port cannot be had.
    """
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise InvalidSettings(
            setting, f"cannot listen on {address}", remedy="is another process listening there?"
        ) from None
