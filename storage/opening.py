"""Opens the stores behind a database URL, after making sure that the schema is the one we know."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import inspect, text

from heliostat.errors import MigrationAhead, MigrationBehind
from heliostat.ports.stores import Stores
from storage.notify import ChangeFeed
from storage.sql.audit import SqlAudit
from storage.sql.database import Database
from storage.sql.decisions import SqlDecisions, SqlPlans
from storage.sql.fleet import SqlFleet
from storage.sql.forecasts import SqlForecasts
from storage.sql.governing import SqlModes, SqlOverrides
from storage.sql.interned import Names
from storage.sql.leadership import SqlLeadership
from storage.sql.listening import NotificationListener
from storage.sql.outbox import SqlOutbox
from storage.sql.routing import SqlRouting
from storage.sql.tables import SCHEMA_REVISION
from storage.sql.usage import SqlUsage

_VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStores:
    """The stores, the feed that says what changed, and the way to give everything back."""

    stores: Stores
    feed: ChangeFeed
    database: Database
    listener: NotificationListener | None

    def close(self) -> None:
        """Stop listening and close all connections; repeatable."""
        if self.listener is not None:
            self.listener.close()
        self.database.close()


def open_stores(url: str) -> OpenStores:
    """The stores at `sqlite:///path` or `postgresql+psycopg://user@host/name`.

    On PostgreSQL a thread listens for what other processes commit. Raises MigrationBehind,
    MigrationAhead, StorageUnavailable, InvalidSettings.
    """
    feed = ChangeFeed()
    database = Database(url, feed)
    try:
        check_schema(database)
    except BaseException:  # whatever it was goes on; nobody else could close the database
        database.close()
        raise
    listener = None if database.is_sqlite else NotificationListener(database)
    return OpenStores(stores=stores_on(database), feed=feed, database=database, listener=listener)


def check_schema(database: Database) -> None:
    """Raise MigrationBehind or MigrationAhead unless the database stands at this code's revision; makes
    no file."""
    found = None
    if database.is_unmade():
        raise MigrationBehind(
            f"there is no file {database.engine.url.database}",
            remedy="check the URL, or create it with `heliostat db upgrade`",
        )
    with database.read() as connection:
        if inspect(connection).has_table(_VERSION_TABLE):
            found = connection.execute(
                text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608 - our own name
            ).scalar()
    if found is not None and found > SCHEMA_REVISION:  # revisions are 0001, 0002, …
        raise ahead(found)
    if found != SCHEMA_REVISION:
        raise MigrationBehind(
            f"the database's schema is {found or 'empty'}, this release requires {SCHEMA_REVISION}",
            remedy="run `heliostat db upgrade`",
        )


def ahead(found: str) -> MigrationAhead:
    """The error for a database at a revision that this release does not know."""
    return MigrationAhead(
        f"a newer release upgraded the database: its schema is {found}, this release knows"
        f" {SCHEMA_REVISION}",
        remedy="run that release, or go back with its `heliostat db downgrade --to"
        f" {SCHEMA_REVISION}` before you start this one",
    )


def stores_on(database: Database) -> Stores:
    """Every port on one database whose schema is right."""
    names = Names(database)
    leadership = SqlLeadership(database)
    audit = SqlAudit(database)
    plans, routing = SqlPlans(database), SqlRouting(database)
    outbox = SqlOutbox(database, leadership, audit)
    overrides, modes = SqlOverrides(database, leadership, audit), SqlModes(database)
    return Stores(
        usage=SqlUsage(database, names),
        forecasts=SqlForecasts(database, names, leadership),
        decisions=SqlDecisions(
            database=database,
            leadership=leadership,
            plans=plans,
            routing=routing,
            outbox=outbox,
            overrides=overrides,
            modes=modes,
            audit=audit,
        ),
        plans=plans,
        routing=routing,
        outbox=outbox,
        overrides=overrides,
        modes=modes,
        fleet=SqlFleet(database),
        audit=audit,
        leadership=leadership,
    )
