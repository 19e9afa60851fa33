"""`heliostat audit`: who did what, and what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.asking import Limit
from services.cli.client import Client
from services.cli.figures import at
from services.cli.output import Output
from services.cli.times import INSTANT_HELP, parse_span, present
from services.cli.values import plain
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.governance import AuditRecord

app = typer.Typer(no_args_is_help=True, help="The audit log.")


@app.callback()
def _group() -> None:
    """The audit log."""


@app.command("list")
@wired
def list_(
    client: Client,
    out: Output,
    start: Annotated[str, typer.Option(help=f"From: {INSTANT_HELP}.")] = "-24h",
    end: Annotated[str, typer.Option(help="To (exclusive).")] = "+1m",
    author: Annotated[
        list[str] | None, typer.Option("--author", help="For example operator:anna; may repeat.")
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option("--action", help="For example scale-pool; may repeat.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """Requested changes, done or refused, and scheduled plans; oldest first. For operators and admins."""
    from heliostat.model.governance import AuditQuery
    from services.translation.audit import audit_query_to_wire, entry_from_wire

    asked = AuditQuery(
        span=parse_span(start, end, present()),
        authors=frozenset(author or ()),
        actions=frozenset(action or ()),
    )
    found = [
        entry_from_wire("record", one)
        for one in client.rows(
            client.audit.ListAudit, audit_query_to_wire(asked), of="records", limit=limit + 1
        )
    ]
    shown = found[:limit]
    if out.as_json:
        records = [{"number": entry.number, **plain(entry.record)} for entry in shown]
        out.json({"span": asked.span, "records": records})
        return
    out.table(
        "",
        ["at, by!", "action, outcome!", "subject / details"],
        [_row(entry.record) for entry in shown],
        empty=f"No changes between {at(asked.span.start)} and {at(asked.span.end)}.",
    )
    if len(found) > limit:
        out.note(
            f"Only the oldest {limit:,} records are shown; begin later with --start, or raise --limit."
        )


def _row(record: AuditRecord) -> list[str]:
    words = "\n".join(text for text in (record.subject, record.detail) if text)
    return [f"{at(record.at)}\n{record.author}", f"{record.action}\n{record.outcome}", words]
