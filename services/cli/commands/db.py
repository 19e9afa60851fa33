"""`heliostat db`: bring a database to this release, or see whether it is there."""

from __future__ import annotations

import typer

from heliostat.errors import InvalidSettings
from services.cli.asking import DEFAULT_DATABASE, Database
from services.cli.output import Output, progress
from services.cli.wiring import wired

app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@app.command()
@wired
def upgrade(out: Output, database: Database = DEFAULT_DATABASE) -> None:
    """Migrate to this release. Safe while the release before runs, and safe to repeat."""
    from migrations.running import upgrade as migrate

    with progress("migrating"):
        revision = migrate(_stored(database))
    if out.as_json:
        out.json({"revision": revision})
        return
    out.say(f"The database stands at revision {revision}.")


@app.command()
@wired
def check(out: Output, database: Database = DEFAULT_DATABASE) -> None:
    """Say whether this release can run on the database; exit code 71 when it has to be upgraded."""
    from migrations.running import check as stands
    from migrations.running import head

    stands(_stored(database))
    if out.as_json:
        out.json({"revision": head(), "ready": True})
        return
    out.say(f"The database stands at revision {head()}, as this release needs it.")


def _stored(url: str) -> str:
    if url == "memory":
        raise InvalidSettings("--database", "memory has no schema to look after")
    return url
