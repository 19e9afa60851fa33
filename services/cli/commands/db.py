"""`heliostat db`: migrate a database to this release, check its revision, or take it back."""

from __future__ import annotations

from typing import Annotated

import typer

from heliostat.errors import InvalidSettings
from services.cli.asking import DEFAULT_DATABASE, Database, Yes, confirm
from services.cli.output import Output, progress
from services.cli.wiring import wired

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.command()
@wired
def upgrade(out: Output, database: Database = DEFAULT_DATABASE) -> None:
    """Migrate to this release. Safe to repeat.

    Control planes of the previous release may keep running meanwhile, but cannot be started on the new
    schema. To return to that release, see db downgrade.
    """
    from migrations.running import upgrade as migrate

    with progress("migrating"):
        revision = migrate(_stored(database))
    if out.as_json:
        out.json({"revision": revision})
        return
    out.say(f"Database is at revision {revision}.")


@app.command()
@wired
def check(out: Output, database: Database = DEFAULT_DATABASE) -> None:
    """Check whether this release can use the database; exit code 71 if it must be upgraded."""
    from migrations.running import check as stands
    from migrations.running import head

    stands(_stored(database))
    if out.as_json:
        out.json({"revision": head(), "ready": True})
        return
    out.say(f"Database is at revision {head()}, as this release requires.")


@app.command()
@wired
def downgrade(
    out: Output,
    to: Annotated[str, typer.Option("--to", help="Revision to return to; base = no tables.")],
    database: Database = DEFAULT_DATABASE,
    yes: Yes = False,
) -> None:
    """Take the schema back, so that an older release can start on it. Drops the data of newer revisions.

    Run it with the newer release, which has the migrations. Stop every control plane first: it is refused
    while one leads. The older release names the revision that it needs when it refuses to start.
    """
    from migrations.running import BASE, steps_back
    from migrations.running import downgrade as migrate

    url = _stored(database)
    steps = steps_back(url, to)
    if steps:
        for step in steps:
            out.note(f"undoes {step.revision}: {step.title}")
        confirm(
            f"Take the schema back to {to}? The data that only these revisions store is lost.",
            yes=yes,
        )
        with progress("migrating"):
            migrate(url, to)
    if out.as_json:
        out.json(
            {"revision": "" if to == BASE else to, "undone": [step.revision for step in steps]}
        )
        return
    if not steps:
        out.say(f"The database stands at revision {to} already; nothing was changed.")
        return
    undone = ", ".join(step.revision for step in steps)
    out.say(f"The database stands at revision {to}. Undone: {undone}.")


def _stored(url: str) -> str:
    if url == "memory":
        raise InvalidSettings("--database", "memory has no schema")
    return url
