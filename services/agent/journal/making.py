"""Creates, checks and migrates a journal file, and moves it aside if it cannot be read."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from heliostat.errors import CorruptJournal, MigrationAhead
from heliostat.model.instants import to_epoch
from services.agent.journal.rows import check_rows

SCHEMA_VERSION = 3
_OWN_BITS = 20
_OWN_NUMBERS = 1_048_573
"""The largest prime below 2 ** 20, so that every bit of a journal's number counts."""
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
_BATCH_REQUESTS = """
CREATE TABLE batch_requests (
  number INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE,
  gateway_id TEXT NOT NULL, model TEXT NOT NULL, state INTEGER NOT NULL, attempt INTEGER NOT NULL,
  queued_at INTEGER NOT NULL, due INTEGER NOT NULL, changed_at REAL NOT NULL, ask BLOB NOT NULL,
  place BLOB);
CREATE INDEX batch_due ON batch_requests (model, gateway_id, due, number) WHERE state = 0;
CREATE INDEX batch_age ON batch_requests (model, gateway_id, queued_at, number) WHERE state = 0;
CREATE INDEX batch_placed ON batch_requests (number) WHERE state = 1;
CREATE INDEX batch_ended ON batch_requests (changed_at) WHERE state > 1;
"""
_NUMBERED_COMMANDS = """
CREATE TABLE received (
  number INTEGER PRIMARY KEY AUTOINCREMENT, command_id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL, ended INTEGER NOT NULL, body BLOB NOT NULL);
INSERT INTO received (command_id, created_at, ended, body)
  SELECT command_id, created_at, ended, body FROM commands ORDER BY command_id;
DROP TABLE commands;
ALTER TABLE received RENAME TO commands;
"""
_SINCE = {1: _BATCH_REQUESTS, 2: _NUMBERED_COMMANDS}
"""What a journal of that version lacks for the next."""


def connect(path: Path) -> sqlite3.Connection:
    """The file as it stands; one that is not there is made."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)


def connected(path: Path, now: datetime) -> sqlite3.Connection:
    """The journal in the file, checked; a fresh one where there was none.

    Raises sqlite3.OperationalError when the disk does not let us, sqlite3.DatabaseError when the file is
    no journal that can be read, MigrationAhead when a newer agent wrote it.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if version == 0 and application == 0:
            _create(connection, now)
        elif application != _APPLICATION_ID:
            raise sqlite3.DatabaseError("is not a Heliostat journal")
        elif version > SCHEMA_VERSION:
            raise MigrationAhead(
                f"journal {path} has version {version}, this agent supports {SCHEMA_VERSION}",
                remedy="run the newer agent again",
            )
        _bring_up(connection)
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        check_rows(connection)
    except BaseException:  # whatever it was goes on; nobody else could close the connection
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, now: datetime) -> None:
    connection.execute("BEGIN IMMEDIATE")
    _execute(connection, _SCHEMA)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [
            ("incarnation", 0),
            ("born_at", to_epoch(now)),
            ("journal_id", uuid4().int >> 65),
        ],
    )
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    connection.execute("COMMIT")


def _bring_up(connection: sqlite3.Connection) -> None:
    """What the file lacks, one version after the other; each is there whole or not at all."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        _execute(connection, _SINCE[number])
        connection.execute(f"PRAGMA user_version={number + 1}")
        connection.execute("COMMIT")


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    """Those statements inside the transaction that is open."""
    for statement in statements.strip().rstrip(";").split(";"):
        connection.execute(statement)


def next_life(written: int, journal_id: int, path: Path, now: datetime) -> int:
    """The incarnation of a journal's next life: higher than the one written, than any life's before, and
    another than that of any other journal, though both agents start in one second.

    Its upper bits are the second of the start: what a power cut or a restored snapshot took back
    counted on under an incarnation that may stand nowhere any more, and the start is higher as long as
    the clock is not set back. Its lower 20 bits come from the journal's own number.
    """
    second = max((written >> _OWN_BITS) + 1, to_epoch(now), _last_aside(path) + 1)
    return second << _OWN_BITS | journal_id % _OWN_NUMBERS


def _last_aside(path: Path) -> int:
    """The highest number of a life that was moved aside; 0 when none was."""
    names = (p.name for p in path.parent.glob(f"{path.name}.corrupt-*"))
    return max((int(name[-10:]) for name in names if name[-10:].isdigit()), default=0)


def move_aside(path: Path, now: datetime, what: str) -> CorruptJournal:
    """Give the name free for a fresh life; says where the old one is now. Raises OSError."""
    number = max(to_epoch(now), _last_aside(path) + 1)
    aside = path.with_name(f"{path.name}.corrupt-{number:010d}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(aside.with_name(aside.name + ending))
    return CorruptJournal(
        f"journal {path} cannot be read ({what}); it was moved to {aside.name} and a new one was created",
        remedy="unsent usage in it is lost; adopt the unknown VMs (heliostat fleet get)",
    )
