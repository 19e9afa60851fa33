"""What holds for every test: closed sockets outside `integration/`, and repeatable hypotheses.

The order is random; pytest-randomly prints the seed, and `make test ARGS=--randomly-seed=N`
repeats it. A warning is an error (pyproject.toml). Integration tests come last.
"""

import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

INTEGRATION = Path(__file__).parent / "integration"

# Two busy cores make honest examples slow, so none has a deadline. CI draws the same examples every
# time; at home each run looks at new ones.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


class SocketsAreClosed(RuntimeError):
    """A test reached for the network: it needs a fake, or belongs into tests/integration."""


class Gate:
    """Decides which internet addresses Python code may reach at the moment.

    An audit hook, no patched `socket.socket`: a server that one integration test keeps for the next
    goes on accepting while others run. Unix sockets and pipes stay open. The C cores of gRPC and
    libpq raise no audit events; a unit test that starts one is caught in review, not here.
    """

    def __init__(self) -> None:
        self.opens_to_loopback = False

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise SocketsAreClosed before `event` reaches an address that is closed."""
        if not event.startswith("socket."):
            return
        host = _host(event, arguments)
        if host is not None and not (self.opens_to_loopback and _is_loopback(host)):
            raise SocketsAreClosed(f"{event} {host!r}: {SocketsAreClosed.__doc__}")


def _host(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The internet host that an audit event is about, or None if it is about no such host."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
        return host.decode() if isinstance(host, bytes) else host
    if event in {"socket.connect", "socket.bind", "socket.sendto"}:
        connection, address = arguments
        if connection.family in {socket.AF_INET, socket.AF_INET6}:
            return str(address[0])
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


GATE = Gate()


def is_integration(item: pytest.Item) -> bool:
    """Whether a test may use loopback sockets."""
    return item.path.is_relative_to(INTEGRATION)


def pytest_configure() -> None:
    """Close the sockets for good; an audit hook cannot be taken away again."""
    sys.addaudithook(GATE.audit)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what is quick to fail first: integration tests run last, each half in random order."""
    items.sort(key=is_integration)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Open loopback around an integration test, its fixtures of every scope included."""
    GATE.opens_to_loopback = is_integration(item)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Open loopback while fixtures end: the last of a session may end after a unit test."""
    GATE.opens_to_loopback = True
    return (yield)
