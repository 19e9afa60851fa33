"""`heliostat db`: migrate a database to this release, or check its revision."""

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
    """Migrate to this release. Safe while the previous release runs, and safe to repeat."""
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


def _stored(url: str) -> str:
    if url == "memory":
        raise InvalidSettings("--database", "memory has no schema")
    return url
