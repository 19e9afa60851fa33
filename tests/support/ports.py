"""Ports on loopback that nobody holds."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port that is free now; somebody else may take it, so use it soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
