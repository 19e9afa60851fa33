"""Errors for calls without an answer, or that the server does not provide, with cause and remedy."""

from __future__ import annotations

from heliostat.errors import Unavailable, Unsupported
from services.cli.connection import LOCAL_VARIABLES, VARIABLES, Connection

_TLS_OPTIONS = "--tls-ca, --tls-cert and --tls-key (or {}TLS_CA, _CERT and _KEY)"


def unanswered(connection: Connection, said: str) -> Unavailable:
    """The error for a call without an answer; `said` is gRPC's message."""
    why, remedy = _reading(connection, said)
    return Unavailable(f"{connection.address} does not answer: {why}", remedy=remedy)


def unserved(connection: Connection) -> Unsupported:
    """The error for a call that the server does not know."""
    remedy = (
        f"give the local API of an agent that dispatches with {connection.option('address')}; "
        "is it of this release?"
        if connection.of_agent
        else f"give a control plane with {connection.option('address')}; is it of this release?"
    )
    return Unsupported(f"{connection.address} does not serve this call", remedy=remedy)


def _reading(connection: Connection, said: str) -> tuple[str, str]:
    """Cause and remedy; otherwise gRPC's own message."""
    host = connection.address.rpartition(":")[0].strip("[]")
    tls_options = _TLS_OPTIONS.format(LOCAL_VARIABLES if connection.of_agent else VARIABLES)
    secure = connection.tls_ca is not None or connection.tls_cert is not None
    if "WRONG_VERSION_NUMBER" in said:
        return "it speaks plain text and was called with TLS", f"omit {tls_options}"
    if "Hostname Verification Check failed" in said:
        return (
            f"its certificate is not valid for {host}",
            f"use a name from its certificate (`heliostat certs make --server {host}` "
            "creates one with this name)",
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            "its certificate was signed by an unknown CA",
            f"give the CA that signed it with {connection.option('tls-ca')}",
        )
    if "Connection refused" in said:
        return (
            "the connection was refused",
            "check the address, and start the process if it is not running",
        )
    if "Deadline Exceeded" in said:
        return (
            "it accepts connections but does not answer",
            "check its log: it may be stopped or overloaded",
        )
    if "Socket closed" in said or "Connection reset" in said:
        if not secure:
            return "it closes plain-text connections", f"it may require TLS: give {tls_options}"
        if connection.tls_cert is None:
            return (
                "it closes connections without a client certificate",
                f"give yours with {connection.option('tls-cert')} and {connection.option('tls-key')}",
            )
    return said, "check its address and certificates, then retry"
