"""Brings a database to a revision, in one transaction, one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from heliostat.errors import InvalidInput
from storage.notify import ChangeFeed
from storage.opening import ahead, check_schema
from storage.sql.database import Database, Transaction
from storage.sql.leadership import SqlLeadership
from storage.sql.tables import leadership

BASE = "base"
"""Stands for the revision before the first: no tables at all."""

_ADVISORY_LOCK = 0x68656C696F
"""Any number that only we use: "helio"."""
_TIMEOUTS = (
    # A migration waits for a lock only briefly, since everybody else queues behind it.
    "SET LOCAL lock_timeout = '4s'",
    "SET LOCAL statement_timeout = '60s'",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One migration: the revision that it makes, and what it is for."""

    revision: str
    title: str


def upgrade(url: str, revision: str = "head") -> str:
    """Migrate forward; returns the revision that the database has then. Repeatable.

    Raises MigrationAhead where a newer release upgraded it already, StorageUnavailable, also when a
    lock could not be had in time: try again.
    """
    return _migrate(url, lambda config: command.upgrade(config, revision), _check_known)


def downgrade(url: str, revision: str) -> str:
    """Migrate back to a revision, `base` = an empty database; returns the revision. Repeatable.

    Raises DatabaseInUse while a control plane leads on it, and what `steps_back` raises.
    """

    def check_may(database: Database, tx: Transaction) -> None:
        _steps_back(current(tx.connection), revision)
        if inspect(tx.connection).has_table(leadership.name):
            SqlLeadership(database).check_free(tx)

    return _migrate(url, lambda config: command.downgrade(config, revision), check_may)


def steps_back(url: str, revision: str) -> tuple[Step, ...]:
    """What a downgrade to that revision would undo, the newest first; () where it stands there.

    Raises InvalidInput for a revision that there is not or that the database has not reached,
    MigrationAhead, StorageUnavailable.
    """
    with _opened(url) as database:
        if database.is_unmade():
            check_schema(database)
        with database.read() as connection:
            return _steps_back(current(connection), revision)


def check(url: str) -> None:
    """Raise MigrationBehind or MigrationAhead unless the database stands where this release needs it."""
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


def _steps_back(found: str, revision: str) -> tuple[Step, ...]:
    known = [
        Step(revision=script.revision, title=script.doc)
        for script in ScriptDirectory.from_config(_config()).walk_revisions()
    ]
    names = [step.revision for step in known]
    if found and found not in names:
        raise ahead(found)
    applied = known[names.index(found) :] if found else []
    stops = [*(step.revision for step in applied), BASE]
    if revision not in stops:
        wrong = "the database has not reached it" if revision in names else "there is no such one"
        raise InvalidInput("--to", f"{revision}: {wrong}; it may be {', '.join(stops)}")
    return tuple(applied[: stops.index(revision)])


def _check_known(_database: Database, tx: Transaction) -> None:
    _steps_back(current(tx.connection), BASE)


def _migrate(
    url: str, run: Callable[[Config], None], check_may: Callable[[Database, Transaction], None]
) -> str:
    with _opened(url) as database, database.write() as tx:
        if not database.is_sqlite:
            tx.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            for timeout in _TIMEOUTS:
                tx.connection.exec_driver_sql(timeout)
        check_may(database, tx)
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
