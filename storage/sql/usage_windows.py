"""Writes whole columns of usage windows at the speed of the driver: a higher revision replaces.

SQLite gets one `executemany`, PostgreSQL one COPY into a temporary table and one insert out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite

from storage.sql.database import Insert, Transaction
from storage.sql.tables import usage_windows as windows

_COLUMNS = tuple(column.name for column in windows.c)
_KEY = tuple(column.name for column in windows.primary_key)
_STAGE = "arriving_windows"

Line = tuple[Any, ...]
"""One window in the order of the table's columns."""


def write_windows(tx: Transaction, lines: Iterable[Line]) -> None:
    """Store the windows; of one key the highest revision wins, and among equals the first."""
    if tx.connection.dialect.name == "sqlite":
        rows = list(lines)
        if rows:
            statement = _upsert(sqlite.insert(windows))
            tx.connection.exec_driver_sql(_compiled(tx.connection.dialect, statement), rows)
    else:
        _copy(tx.connection, lines)


class _Statements(NamedTuple):
    """What PostgreSQL is asked, in this order."""

    stage: str
    copy: str
    merge: str


@cache
def _statements(dialect: Dialect) -> _Statements:
    names, key = ", ".join(_COLUMNS), ", ".join(_KEY)
    upsert = _compiled(dialect, _upsert(postgresql.insert(windows)))
    into, conflict = upsert.split(" VALUES ")[0], upsert.split(" ON CONFLICT ")[1]
    # Two revisions of one window may arrive together, and one statement touches a row only once.
    newest = f"SELECT DISTINCT ON ({key}) {names} FROM {_STAGE} ORDER BY {key}, revision DESC"  # noqa: S608 - our own names
    return _Statements(
        stage=f"CREATE TEMPORARY TABLE IF NOT EXISTS {_STAGE} (LIKE {windows.name})"
        " ON COMMIT DELETE ROWS",
        copy=f"COPY {_STAGE} ({names}) FROM STDIN (FORMAT BINARY)",
        merge=f"{into} {newest} ON CONFLICT {conflict}",
    )


def _compiled(dialect: Dialect, statement: Insert) -> str:
    return str(statement.compile(dialect=dialect))


def _upsert(insert: Insert) -> Insert:
    return insert.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: insert.excluded[name] for name in _COLUMNS if name not in _KEY},
        where=insert.excluded.revision > windows.c.revision,
    )


def _copy(connection: Connection, lines: Iterable[Line]) -> None:
    statements = _statements(connection.dialect)
    connection.exec_driver_sql(statements.stage)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(statements.copy) as copy:
            copy.set_types(_types(connection.dialect))
            for line in lines:
                copy.write_row(line)
        cursor.execute(statements.merge)


@cache
def _types(dialect: Dialect) -> list[str]:
    return [column.type.compile(dialect).lower() for column in windows.c]
