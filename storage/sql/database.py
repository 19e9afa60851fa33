"""One database: connections set up for SQLite or PostgreSQL, and transactions that tell listeners.

SQLite runs in WAL mode; a writing transaction takes the write lock at its beginning, so that
what it reads cannot change under it. On PostgreSQL rows are locked by the statements themselves.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.elements import ColumnElement

from heliostat.clock import sleep_seconds
from heliostat.errors import InvalidSettings
from storage.notify import CHANNEL, ChangeFeed, Topic
from storage.sql.trouble import translated

_WRITES = "heliostat_writes"
_PATIENCE_MILLISECONDS = 15_000
_SHORT_PATIENCE_MILLISECONDS = 1_000
_WRITE_AHEAD = "PRAGMA journal_mode = WAL"
_LOOK_AGAIN_SECONDS = 0.05
_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {_PATIENCE_MILLISECONDS}",
    # Only a new file takes the page size; 16 KiB pages store windows a quarter faster than 4 KiB.
    "PRAGMA page_size = 16384",
    _WRITE_AHEAD,
    # A receipt says durable, and agents delete what they sent: with NORMAL a power cut takes back what
    # was committed since the last checkpoint. Commits are groups, so the sync costs little.
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -24000",
    # 64 MB of log between checkpoints keep ingest fast; what a long reader makes it grow beyond that
    # is given back.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
_POSTGRES_OPTIONS = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=120s"
    " -c idle_in_transaction_session_timeout=60s"
)
_NETWORK_PATIENCE = {
    # A peer that vanished without a word would else be waited for until the system gives up, minutes
    # or hours later: nobody renews the lease or stores anything meanwhile. A server that still works
    # on a long statement answers keep-alives.
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",  # milliseconds
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "2",
}
"""How long libpq waits, in seconds where nothing else is said; what the URL says wins."""

Insert = postgresql.Insert | sqlite.Insert


@dataclass(slots=True)
class Transaction:
    """A writing transaction, and the topics that listeners hear when it is committed."""

    connection: Connection
    topics: dict[Topic, None] = field(default_factory=dict)

    def tell(self, *topics: Topic) -> None:
        """Say what changes with this transaction."""
        self.topics.update(dict.fromkeys(topics))


class Database:
    """Opens transactions; shared by all stores and safe to use from several threads."""

    def __init__(self, url: str, feed: ChangeFeed) -> None:
        self.engine = engine_of(url)
        self.feed = feed
        self.token = uuid.uuid4().hex
        """Tells our own notifications from those of other processes."""
        self._file = self.engine.url.database if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, false for PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    def is_unmade(self) -> bool:
        """True for an SQLite file that nobody made yet; whoever connects makes it."""
        if not self.is_sqlite:
            return False
        file = Path(self.engine.url.database or "")
        return file.parent.is_dir() and not file.exists()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it at one moment. Raises StorageUnavailable."""
        with translated(self._file), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits at its end, or not at all. Raises StorageUnavailable, and
        DataLoss when the file is damaged."""
        with translated(self._file), self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                transaction = Transaction(connection)
                yield transaction
                self._notify(transaction)
        self.feed.publish(transaction.topics)

    def insert(self, table: Table) -> Insert:
        """An insert that can say what happens on conflict."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def now(self) -> ColumnElement[float]:
        """The database's clock in epoch seconds, read when the statement runs."""
        if self.is_sqlite:
            return (func.julianday("now") - 2440587.5) * 86400.0
        return func.extract("epoch", func.clock_timestamp()).cast(postgresql.DOUBLE_PRECISION)

    def give_back_log(self) -> bool:
        """Empty SQLite's write-ahead log, so that it takes no room on the disk between bursts.

        Writers wait for it, a second at most: with a long reader in the way it is left for the next
        time. False when it was left; true elsewhere than on SQLite. Raises StorageUnavailable.
        """
        if not self.is_sqlite:
            return True
        with translated(self._file):
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(f"PRAGMA busy_timeout = {_SHORT_PATIENCE_MILLISECONDS}")
                busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE_MILLISECONDS}")
                return not busy
            finally:
                connection.close()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _notify(self, transaction: Transaction) -> None:
        if self.is_sqlite:
            return
        for topic in transaction.topics:
            transaction.connection.execute(select(func.pg_notify(CHANNEL, f"{topic} {self.token}")))


def engine_of(url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…`. Raises InvalidSettings."""
    parsed = _parsed(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        patient = parsed.set(query={**_NETWORK_PATIENCE, **parsed.query})
        return create_engine(
            patient, pool_pre_ping=True, pool_size=8, connect_args={"options": _POSTGRES_OPTIONS}
        )
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or _is_no_file(parsed.database):
        raise InvalidSettings(
            "database",
            f"{parsed.drivername!r} is not supported",
            remedy="use sqlite:///path/to/file or postgresql+psycopg://user@host/name",
        )
    _check_folder(Path(parsed.database or ""))
    engine = create_engine(parsed, pool_size=8)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        wrong = "it is not a database URL"
    except ValueError:
        wrong = "it is not a database URL: its port is not a number"
    # Outside the handlers, and without the URL: it may hold a password, and where it cannot be read
    # nobody knows which part of it that is. What the library says quotes such parts.
    raise InvalidSettings(
        "database",
        wrong,
        remedy="use sqlite:///path/to/file or postgresql+psycopg://user:password@host:port/name, with"
        " @ : / ? # % in user and password written as %40 %3A %2F %3F %23 %25",
    )


def _check_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise InvalidSettings(
            "database", f"{file.parent} is not a directory", remedy="create it, or fix the path"
        )
    if file.is_dir():
        raise InvalidSettings("database", f"{file} is a directory", remedy="give a file in it")


def _is_no_file(database: str | None) -> bool:
    """True for SQLite's nameless databases: each connection would see one of its own."""
    return not database or database == ":memory:"


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction handling would commit before DDL; SQLAlchemy begins instead.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        _obeyed(connection, pragma)


def _obeyed(connection: Any, pragma: str) -> None:
    """Run a pragma. The switch to write-ahead logging meets others who open a new file in that moment, and
    does not wait for them as statements do: we ask again as long as a statement would wait."""
    tries = round(_PATIENCE_MILLISECONDS / 1000 / _LOOK_AGAIN_SECONDS)
    for left in reversed(range(tries if pragma == _WRITE_AHEAD else 1)):
        try:
            connection.execute(pragma).close()
        except sqlite3.OperationalError as error:
            if not left or "locked" not in str(error):
                raise
            sleep_seconds(_LOOK_AGAIN_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def put_many(tx: Transaction, statement: Insert, rows: Sequence[Mapping[str, object]]) -> None:
    """Run an insert for many rows; for none do nothing."""
    if rows:
        tx.connection.execute(statement, rows)
