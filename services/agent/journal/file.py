"""The journal's file: opened by one agent at a time, read and written behind a lock.

What must outlive a power cut before something happens outside (a purchase, an answer to a gateway) is
written with `durable=True`; the rest outlives kill -9, which is what its readers are promised.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from heliostat.errors import CorruptJournal, JournalInUse, StorageUnavailable
from services.agent.journal import brake_file
from services.agent.journal.making import connect, connected, move_aside, next_life
from services.agent.journal.owner import as_owner
from services.agent.journal.rows import DAMAGE, is_damage
from storage.sqlite_words import is_refusal, remedy_for

B = TypeVar("B")
T = TypeVar("T")
_RESTART = "restart the agent: it moves the file aside"


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
        starts_at: datetime | None = None,
    ) -> None:
        self.path = path
        self.loss = loss
        self._connection = connection
        self._lock = lock
        self._visiting = lock is None
        self._turn = threading.RLock()
        self._synchronous = ""
        self._power_safe = power_safe
        meta = dict(self.read("SELECT key, value FROM meta"))
        self.journal_id = int(meta.get("journal_id") or meta["born_at"])
        """Its own number, by which control planes know it; journals of older agents have none."""
        self.incarnation = int(meta["incarnation"])
        """Higher with each life: numbers that a power cut took back are never given again."""
        if starts_at is not None:
            self.incarnation = next_life(self.incarnation, self.journal_id, path, starts_at)

    @classmethod
    def open(cls, path: Path, now: datetime, *, power_safe: bool = True) -> Self:
        """The agent's journal at `path`; a fresh one where there is none, or none that can be read.

        Without `power_safe` it outlives kill -9 all the same, but not a power cut: for demos and tests.

        Raises JournalInUse when another agent holds it, MigrationAhead when a newer agent wrote it,
        StorageUnavailable when the disk does not let us.
        """
        with _typed(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _locked(path)
            try:
                connection, loss = _whole(path, now)
            except BaseException:  # whatever it was goes on; nobody else could let go of the lock
                os.close(lock)
                raise
            brake_file.reserve(path)
        return cls(path, connection, lock, loss, power_safe=power_safe, starts_at=now)

    @classmethod
    def visit(cls, path: Path) -> Self:
        """An existing journal, for an operator's brief visit while its agent may run.

        Raises StorageUnavailable when there is none or the disk does not let us, CorruptJournal.
        """
        with _typed(path, visiting=True):
            if not path.exists():
                raise StorageUnavailable(
                    f"there is no journal at {path}", remedy="start the agent once, or fix the path"
                )
            return cls(path, connect(path), None, None)

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
        with self._turn, _typed(self.path, visiting=self._visiting):
            return self._connection.execute(query, values).fetchall()

    def decoded(self, read: Callable[[B], T], body: B) -> T:
        """A row's body, read. Raises CorruptJournal when it is damaged."""
        try:
            return read(body)
        except DAMAGE as error:
            raise CorruptJournal(
                f"journal {self.path}: a row is damaged: {error}", remedy=_RESTART
            ) from error

    def begin_life(self, write: sqlite3.Connection) -> None:
        """Write this life's incarnation, in the transaction that numbers something under it."""
        write.execute(
            "UPDATE meta SET value = ?1 WHERE key = 'incarnation' AND value <> ?1",
            (self.incarnation,),
        )

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing; `durable` = also after a power cut.

        Raises StorageUnavailable when the disk is full or the file is locked for long.
        """
        with self._turn, _typed(self.path, visiting=self._visiting):
            self._set_synchronous(self._level(durable))
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:  # whatever it was goes on; nothing of the transaction may stay
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
def _typed(path: Path, *, visiting: bool = False) -> Iterator[None]:
    """Errors of the disk and of SQLite as ours; a visitor who is refused is told whose journal it is."""
    try:
        yield
    except OSError as error:
        refused = visiting and error.errno in (errno.EACCES, errno.EPERM)
        remedy = as_owner(path) if refused else ""
        raise StorageUnavailable(
            f"journal {path}: {error.strerror}",
            remedy=remedy or f"make {path.parent} readable and writable",
        ) from error
    except sqlite3.OperationalError as error:
        said = str(error)
        if is_damage(error):
            raise CorruptJournal(f"journal {path}: {said}", remedy=_RESTART) from error
        remedy = as_owner(path) if visiting and is_refusal(said) else ""
        raise StorageUnavailable(
            f"journal {path}: {said}", remedy=remedy or remedy_for(said)
        ) from error
    except sqlite3.DatabaseError as error:
        raise CorruptJournal(f"journal {path}: {error}", remedy=_RESTART) from error


def _locked(path: Path) -> int:
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise JournalInUse(
            f"another agent is using the journal {path}", remedy="each agent needs its own journal"
        ) from error
    return handle


def _whole(path: Path, now: datetime) -> tuple[sqlite3.Connection, CorruptJournal | None]:
    """The journal, or a fresh one and what was moved aside for it."""
    try:
        return connected(path, now), None
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        loss = move_aside(path, now, str(error))
        return connected(path, now), loss
