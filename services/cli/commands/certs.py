"""`heliostat certs`: a development certificate authority and certificates that carry a role."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import Output
from services.cli.times import parse_length, present
from services.cli.wiring import wired

app = typer.Typer(no_args_is_help=True, help="Certificates for development and small fleets.")


@app.callback()
def _group() -> None:
    """Certificates for development and small fleets."""


@app.command()
@wired
def make(
    out: Output,
    directory: Annotated[Path, typer.Argument(help="Folder for certificates and keys.")] = Path(
        "certs"
    ),
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="Host names or addresses of the server (control planes, or one agent); may repeat. "
            "Replaces server.pem: use one directory per server."
        ),
    ] = None,
    identity: Annotated[
        list[str] | None,
        typer.Option(
            help="A client: role/name (operator/anna) or role/region/name (agent/eastus/agent-1)."
        ),
    ] = None,
    valid: Annotated[str, typer.Option(help="Validity of certificates: 24h, 90d.")] = "90d",
) -> None:
    """Create a CA (or reuse the existing one), the server's certificate and one per client.

    An existing server.pem is kept unless --server names its hosts, because running servers reload it.
    Roles are agent and gateway (with their region), automation, operator and admin. Keys are readable
    by their owner only. Keep ca-key.pem offline in production.
    """
    from services.cli.certificates import CertificateMaker

    maker = CertificateMaker(directory, now=present(), valid=parse_length("--valid", valid))
    written = maker.make(servers=server or [], clients=identity or ["operator/local"])
    if out.as_json:
        out.json({"directory": directory, "certificates": written})
        return
    out.table(
        f"Certificates in {directory}",
        ["certificate!", "identity"],
        [[one.certificate.name, one.identity] for one in written],
        empty="nothing was created",
    )
    for one in written:
        if one.kept and one.certificate.name == "server.pem":
            out.say(f"server.pem was left as it is, for {one.identity}; --server replaces it.")
    out.say("The key of NAME.pem is NAME-key.pem beside it; keep ca-key.pem offline.")
