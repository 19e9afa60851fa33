"""Maps database failures to typed errors with file and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

from heliostat.errors import DataLoss, StorageUnavailable
from storage.sqlite_words import remedy_for


@contextmanager
def translated(file: str | None) -> Iterator[None]:
    """Errors of the driver as ours; `file` = SQLite's, None on PostgreSQL.

    Raises StorageUnavailable when a retry may help, DataLoss when the file is damaged.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(file, str(error.orig)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # From COPY, which SQLAlchemy does not know: the driver speaks to us directly there.
        raise _unavailable(file, str(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable(f"the database connection was lost: {error.orig}") from error
        if type(error) is DatabaseError:
            # Not one of its kinds: SQLite says so of a file that is damaged, or no database.
            raise DataLoss(f"the database {file} cannot be read: {error.orig}") from error
        raise


def _unavailable(file: str | None, said: str) -> StorageUnavailable:
    if file is None:
        return StorageUnavailable(f"the database does not answer: {said}")
    return StorageUnavailable(
        f"the database {file} cannot be used: {said}", remedy=remedy_for(said)
    )
