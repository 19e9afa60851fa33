"""A call that nobody answered says who was asked, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.connection import Connection
from services.cli.unanswered import unanswered, unserved

PLAIN = Connection(address="plane.example:7443")
CA = Path("ca.pem")
HALF = Connection(address="plane.example:7443", tls_ca=CA)
WHOLE = Connection(address="[::1]:7443", tls_ca=CA, tls_cert=Path("me.pem"), tls_key=Path("me.key"))

OF_AGENT = Connection(address="127.0.0.1:7444", tls_ca=CA, of_agent=True)


@pytest.mark.parametrize(
    ("connection", "said", "why", "remedy"),
    [
        (
            PLAIN,
            "Failed to connect to remote host: Connection refused",
            "connection was refused",
            "start the process",
        ),
        (PLAIN, "UNAVAILABLE: Socket closed", "plain-text", "--tls-ca"),
        (PLAIN, "Deadline Exceeded", "does not answer", "its log"),
        (HALF, "UNAVAILABLE: Socket closed", "without a client certificate", "--tls-cert"),
        (WHOLE, "SSL_ERROR_SSL: WRONG_VERSION_NUMBER", "speaks plain text", "omit --tls-ca"),
        (WHOLE, "Hostname Verification Check failed.", "not valid for ::1;", "--server ::1"),
        (HALF, "CERTIFICATE_VERIFY_FAILED", "signed by an unknown CA", "--tls-ca"),
        (WHOLE, "UNAVAILABLE: Socket closed", "Socket closed", "then retry"),
        (
            OF_AGENT,
            "CERTIFICATE_VERIFY_FAILED",
            "an unknown CA",
            "--tls-ca (HELIOSTAT_LOCAL_TLS_CA)",
        ),
        (OF_AGENT, "WRONG_VERSION_NUMBER", "speaks plain text", "HELIOSTAT_LOCAL_TLS_CA, _CERT"),
    ],
)
def test_silence_is_told_with_its_cause_and_what_to_do(
    connection: Connection, said: str, why: str, remedy: str
) -> None:
    sentence = str(unanswered(connection, said))
    assert sentence.startswith(f"{connection.address} does not answer: ")
    assert why in sentence
    assert remedy in sentence


@pytest.mark.parametrize(
    ("connection", "remedy"),
    [
        (PLAIN, "a control plane with --address (HELIOSTAT_ADDRESS)"),
        (
            OF_AGENT,
            "the local API of an agent that dispatches with --agent (HELIOSTAT_LOCAL_ADDRESS)",
        ),
    ],
)
def test_who_does_not_serve_a_call_is_told_from_who_would(
    connection: Connection, remedy: str
) -> None:
    sentence = str(unserved(connection))
    assert sentence.startswith(f"{connection.address} does not serve this call")
    assert remedy in sentence
