"""The journal's file: opened by one agent at a time, checked, moved aside when it cannot be read.

What must outlive a power cut before something happens outside (a purchase, an answer to a gateway) is
written with `durable=True`; the rest outlives kill -9, which is what its readers are promised.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from heliostat.errors import CorruptJournal, JournalInUse, MigrationBehind, StorageUnavailable
from heliostat.model.instants import from_epoch, to_epoch

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x48454C4A
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE commands (
  command_id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, ended INTEGER NOT NULL,
  body BLOB NOT NULL);
CREATE TABLE words (
  number INTEGER PRIMARY KEY AUTOINCREMENT, command_id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE sources (
  source_id TEXT NOT NULL, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY (source_id, incarnation)) WITHOUT ROWID;
CREATE TABLE usage (
  number INTEGER PRIMARY KEY AUTOINCREMENT, source_id TEXT NOT NULL, sequence INTEGER NOT NULL,
  body BLOB NOT NULL, UNIQUE (source_id, sequence));
CREATE TABLE refused_usage (
  number INTEGER PRIMARY KEY, problem TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE observation (only INTEGER PRIMARY KEY CHECK (only = 1), body BLOB NOT NULL);
CREATE TABLE routes (only INTEGER PRIMARY KEY CHECK (only = 1), body BLOB NOT NULL);
CREATE TABLE brake (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, author TEXT NOT NULL,
  paused INTEGER NOT NULL);
CREATE TABLE intents (intent_id TEXT PRIMARY KEY, closed_at INTEGER, body TEXT NOT NULL);
CREATE TABLE vms (
  number INTEGER PRIMARY KEY AUTOINCREMENT, vm_id TEXT NOT NULL UNIQUE, gone_at INTEGER,
  body TEXT NOT NULL);
CREATE TABLE desired (pool TEXT PRIMARY KEY, target INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE adoptions (
  vm_id TEXT PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL) WITHOUT ROWID;
"""


class JournalFile:
    """One connection behind a lock; `loss` says what was moved aside when it was opened, if anything."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: int | None,
        loss: CorruptJournal | None,
        *,
        power_safe: bool = True,
    ) -> None:
        self.path = path
        self.loss = loss
        self._connection = connection
        self._lock = lock
        self._turn = threading.RLock()
        self._synchronous = ""
        self._power_safe = power_safe
        meta = dict(self.read("SELECT key, value FROM meta"))
        self.incarnation = int(meta["incarnation"])
        self.born_at = from_epoch(int(meta["born_at"]))

    @classmethod
    def open(cls, path: Path, now: datetime, *, power_safe: bool = True) -> Self:
        """The agent's journal at `path`; a fresh one where there is none, or none that can be read.

        Without `power_safe` it outlives kill -9 all the same, but not a power cut: for demos and tests.

        Raises JournalInUse when another agent holds it, MigrationBehind when a newer agent wrote it,
        StorageUnavailable when the disk does not let us.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _locked(path)
        except OSError as error:
            raise StorageUnavailable(f"journal {path}: {error}") from error
        loss = None
        try:
            connection = _connected(path, now)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                os.close(lock)
                raise StorageUnavailable(f"journal {path}: {error}") from error
            loss = _move_aside(path, now, str(error))
            connection = _connected(path, now)
        except MigrationBehind:
            os.close(lock)
            raise
        return cls(path, connection, lock, loss, power_safe=power_safe)

    @classmethod
    def visit(cls, path: Path) -> Self:
        """An existing journal, for an operator's brief visit while its agent may run.

        Raises StorageUnavailable when there is none.
        """
        if not path.exists():
            raise StorageUnavailable(
                f"there is no journal at {path}", remedy="start the agent once, or mend the path"
            )
        try:
            return cls(path, _connect(path), None, None)
        except sqlite3.DatabaseError as error:
            raise CorruptJournal(f"journal {path}: {error}") from error

    def close(self) -> None:
        """Let go of the file once whoever reads or writes is done; repeatable.

        Cancelling a task does not stop the thread that it waits for, and SQLite does not survive
        being closed under a running statement.
        """
        with self._turn:
            self._connection.close()
            lock, self._lock = self._lock, None
            if lock is not None:
                os.close(lock)

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self._turn, _typed(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing; `durable` = also after a power cut.

        Raises StorageUnavailable when the disk is full or the file is locked for long.
        """
        with self._turn, _typed(self.path):
            self._set_synchronous(self._level(durable))
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _level(self, durable: bool) -> str:
        if not self._power_safe:
            return "OFF"
        return "FULL" if durable else "NORMAL"

    def _set_synchronous(self, level: str) -> None:
        if level != self._synchronous and not self._connection.in_transaction:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageUnavailable(
            f"journal {path}: {error}", remedy="free space on its disk, then nothing else is needed"
        ) from error
    except sqlite3.DatabaseError as error:
        raise CorruptJournal(
            f"journal {path}: {error}", remedy="restart the agent: it moves the file aside"
        ) from error


def _locked(path: Path) -> int:
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise JournalInUse(
            f"another agent holds the journal {path}", remedy="one journal serves one agent"
        ) from error
    return handle


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)


def _connected(path: Path, now: datetime) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if version == 0 and application == 0:
            _create(connection, path, now)
        elif application != _APPLICATION_ID:
            raise sqlite3.DatabaseError("is not a journal of ours")
        elif version > SCHEMA_VERSION:
            raise MigrationBehind(
                f"journal {path} has version {version}, this agent knows {SCHEMA_VERSION}",
                remedy="run the newer agent again",
            )
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, path: Path, now: datetime) -> None:
    """A new life has a higher incarnation than those whose files lie beside it."""
    incarnation = max(to_epoch(now), 1, _last_aside(path) + 1)
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.strip().rstrip(";").split(";"):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("incarnation", incarnation), ("born_at", to_epoch(now))],
    )
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _last_aside(path: Path) -> int:
    """The highest number of a life that was moved aside; 0 when none was."""
    names = (p.name for p in path.parent.glob(f"{path.name}.corrupt-*"))
    return max((int(name[-10:]) for name in names if name[-10:].isdigit()), default=0)


def _move_aside(path: Path, now: datetime, what: str) -> CorruptJournal:
    number = max(to_epoch(now), _last_aside(path) + 1)
    aside = path.with_name(f"{path.name}.corrupt-{number:010d}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(aside.with_name(aside.name + ending))
    return CorruptJournal(
        f"journal {path} cannot be read ({what}); it was moved to {aside.name} and a fresh one begun",
        remedy="unsent usage in it is lost; adopt the VMs that the agent reports as unknown",
    )
