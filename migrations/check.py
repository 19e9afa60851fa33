"""Says whether migrations and tables agree: `python -m migrations.check`; exit code 1 when not.

Migrates an empty SQLite file up, down to nothing and up again, then compares it with
`storage.sql.tables`; the same on a throwaway PostgreSQL where there is one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from migrations.running import downgrade, head, upgrade
from migrations.throwaway import is_available, throwaway_server
from storage.notify import ChangeFeed
from storage.sql.database import Database
from storage.sql.tables import SCHEMA_REVISION, metadata


def differences(url: str) -> list[str]:
    """What is wrong with the migrations on the empty database at `url`; [] when nothing is."""
    found = []
    if head() != SCHEMA_REVISION:
        found.append(f"the newest migration is {head()}, storage expects {SCHEMA_REVISION}")
    upgrade(url)
    downgrade(url, "base")
    left = _tables(url) - {"alembic_version"}
    if left:
        found.append(f"downgrading leaves {', '.join(sorted(left))}")
    upgrade(url)
    database = Database(url, ChangeFeed())
    try:
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found += [str(difference) for difference in compare_metadata(context, metadata)]
    finally:
        database.close()
    return found


def _tables(url: str) -> set[str]:
    database = Database(url, ChangeFeed())
    try:
        with database.read() as connection:
            return set(inspect(connection).get_table_names())
    finally:
        database.close()


def main() -> int:
    """Check on every database that there is."""
    with tempfile.TemporaryDirectory() as directory:
        found = {"SQLite": differences(f"sqlite:///{Path(directory) / 'check.db'}")}
    if is_available():
        with throwaway_server() as server:
            found["PostgreSQL"] = differences(server.create_database("check"))
    for name, wrong in found.items():
        for line in wrong or ["migrations and tables agree"]:
            sys.stdout.write(f"{name}: {line}\n")
    if "PostgreSQL" not in found:
        sys.stdout.write("PostgreSQL: not checked, there is none to start\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
