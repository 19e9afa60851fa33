"""Addresses of the form `host:port`: where a process listens, and where it calls."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

LARGEST_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_PORT = re.compile(r"[0-9]{1,5}")


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`, an IPv6 host without its brackets; port 0 = any free one.

    Raises ValueError.
    """
    if "://" in address:
        raise ValueError(f"{address!r} is a URL; write host:port alone")
    host, colon, port = address.rpartition(":")
    if not colon or not _is_host(host):
        raise ValueError(f"{address!r} is not host:port (an IPv6 host goes in brackets)")
    if not _PORT.fullmatch(port) or int(port) > LARGEST_PORT:
        raise ValueError(f"{address!r} is not host:port with a port of 0 to {LARGEST_PORT}")
    return host.strip("[]"), int(port)


def check_target(address: str) -> str:
    """An address that can be called: as `split_address`, and the port is a real one. Raises ValueError."""
    _, port = split_address(address)
    if port == 0:
        raise ValueError(f"{address!r} cannot be called: the port is 1 to {LARGEST_PORT}")
    return address


def with_port(address: str, port: int) -> str:
    """The same host with another port. Raises ValueError."""
    split_address(address)
    return f"{address.rpartition(':')[0]}:{port}"


def is_loopback(address: str) -> bool:
    """True when `host:port` can only be this machine; False for others, and for what is no address."""
    try:
        host, _ = split_address(address)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return _HOST.fullmatch(host) is not None
    try:
        IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return host.endswith("]")
