"""Binds the port of a gRPC server, with or without TLS."""

from __future__ import annotations

import grpc
from grpc import aio

from heliostat.errors import InvalidSettings


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
