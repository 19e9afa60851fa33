"""Brings a database to a revision, in one transaction, one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from storage.notify import ChangeFeed
from storage.opening import check_schema
from storage.sql.database import Database

_ADVISORY_LOCK = 0x68656C696F
"""Any number that only we use: "helio"."""
_TIMEOUTS = (
    # A migration waits for a lock only briefly, since everybody else queues behind it.
    "SET LOCAL lock_timeout = '4s'",
    "SET LOCAL statement_timeout = '60s'",
)


def upgrade(url: str, revision: str = "head") -> str:
    """Migrate forward; returns the revision that the database has then. Repeatable.

    Raises StorageUnavailable, also when a lock could not be had in time: try again.
    """
    return _migrate(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> str:
    """Migrate back to a revision, `base` = an empty database; returns the revision."""
    return _migrate(url, lambda config: command.downgrade(config, revision))


def check(url: str) -> None:
    """Raise MigrationBehind unless the database stands where this release needs it."""
    with _opened(url) as database:
        check_schema(database)


def is_new(url: str) -> bool:
    """True for a database in which nothing stands; an SQLite file is made by looking."""
    with _opened(url) as database, database.read() as connection:
        return not inspect(connection).get_table_names()


def current(connection: Connection) -> str:
    """The revision of the database; "" when it has none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def head() -> str:
    """The newest revision that there is."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _migrate(url: str, run: Callable[[Config], None]) -> str:
    with _opened(url) as database, database.write() as tx:
        if not database.is_sqlite:
            tx.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            for timeout in _TIMEOUTS:
                tx.connection.exec_driver_sql(timeout)
        config = _config()
        config.attributes["connection"] = tx.connection
        run(config)
        return current(tx.connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url, ChangeFeed())
    try:
        yield database
    finally:
        database.close()
