"""Deletes expired rows, in transactions and calls small enough not to delay others."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from storage.sql.database import Database

ROWS_AT_ONCE = 200
"""Per transaction; a routing table or a plan of a large fleet has tens of kilobytes."""
MOST_A_CALL = 10_000
"""A backlog of expired rows is deleted over some hours; a normal hour has hundreds of rows."""


def drop(database: Database, table: Table, *where: ColumnElement[bool]) -> int:
    """Delete matching rows of a table with a primary key, MOST_A_CALL of them at most; returns how
    many. The others go next time."""
    key = table.primary_key.columns
    some = select(*key).where(*where).limit(ROWS_AT_ONCE)
    removed = 0
    while removed < MOST_A_CALL:
        with database.write() as tx:
            gone = tx.connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
        removed += gone
        if gone < ROWS_AT_ONCE:
            break
    return removed
