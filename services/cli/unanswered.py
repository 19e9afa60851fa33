"""What to say when nobody answered a call, or nobody who serves it: who was asked, what came back, and what
to do about it."""

from __future__ import annotations

from heliostat.errors import Unavailable, Unsupported
from services.cli.connection import DOOR_VARIABLES, VARIABLES, Connection

_TLS_OPTIONS = "--tls-ca, --tls-cert and --tls-key (or {}TLS_CA, _CERT and _KEY)"


def unanswered(connection: Connection, said: str) -> Unavailable:
    """The error for a call that reached nobody; `said` is what gRPC says of it."""
    why, remedy = _reading(connection, said)
    return Unavailable(f"{connection.address} does not answer: {why}", remedy=remedy)


def unserved(connection: Connection) -> Unsupported:
    """The error for a call that whoever listens does not know."""
    remedy = (
        f"give the door of an agent that dispatches with {connection.option('address')}; "
        "is it of this release?"
        if connection.door
        else f"give a control plane with {connection.option('address')}; is it of this release?"
    )
    return Unsupported(f"{connection.address} does not serve this call", remedy=remedy)


def _reading(connection: Connection, said: str) -> tuple[str, str]:
    """Why, and what to do. gRPC's own words stay where we know no better ones."""
    host = connection.address.rpartition(":")[0].strip("[]")
    tls_options = _TLS_OPTIONS.format(DOOR_VARIABLES if connection.door else VARIABLES)
    secure = connection.tls_ca is not None or connection.tls_cert is not None
    if "WRONG_VERSION_NUMBER" in said:
        return "it speaks plain text and was called with TLS", f"leave out {tls_options}"
    if "Hostname Verification Check failed" in said:
        return (
            f"its certificate is not made out to {host}",
            f"call it by a name that stands in its certificate (`heliostat certs make --server {host}` "
            "makes one with this name)",
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            "its certificate was signed by somebody unknown",
            f"give the certificate of who signed it with {connection.option('tls-ca')}",
        )
    if "Connection refused" in said:
        return "nobody listens there", "check the address, and start it if it does not run"
    if "Deadline Exceeded" in said:
        return (
            "somebody listens and says nothing",
            "look at its log: it may be stopped, or very busy",
        )
    if "Socket closed" in said or "Connection reset" in said:
        if not secure:
            return "it hangs up on plain text", f"it may want TLS: give {tls_options}"
        if connection.tls_cert is None:
            return (
                "it hangs up on callers without a certificate",
                f"give yours with {connection.option('tls-cert')} and {connection.option('tls-key')}",
            )
    return said, "check its address and certificates, then retry"
