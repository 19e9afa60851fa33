"""Unit tests reach no network, and integration tests reach this machine alone."""

import asyncio
import socket

import pytest

from tests.conftest import GATE, SocketsAreClosed


def test_a_unit_test_cannot_reach_even_this_machine() -> None:
    with socket.socket() as connection, pytest.raises(SocketsAreClosed, match=r"127\.0\.0\.1"):
        connection.connect(("127.0.0.1", 9))


def test_a_unit_test_cannot_listen() -> None:
    with socket.socket() as server, pytest.raises(SocketsAreClosed, match="bind"):
        server.bind(("127.0.0.1", 0))


def test_a_unit_test_cannot_look_up_a_name() -> None:
    with pytest.raises(SocketsAreClosed, match="getaddrinfo"):
        socket.getaddrinfo("localhost", 80)


async def test_an_event_loop_runs_behind_the_closed_gate() -> None:
    assert not GATE.opens_to_loopback
    # The answer of a thread wakes the loop through a socket of its own.
    assert await asyncio.to_thread(lambda: 2 + 2) == 4


def test_an_integration_test_reaches_this_machine_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GATE, "opens_to_loopback", True)
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        with pytest.raises(SocketsAreClosed, match=r"192\.0\.2\.1"):
            client.connect(("192.0.2.1", 9))
