"""The three places where stores live, with the few things that a test does to each of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, update

from heliostat.clock import SteppedClock
from heliostat.ports.leadership import Lease
from heliostat.ports.stores import Stores
from migrations import upgrade
from migrations.throwaway import ThrowawayServer
from storage.memory import memory_stores
from storage.notify import ChangeFeed
from storage.opening import OpenStores, open_stores
from storage.sql.database import Database
from storage.sql.tables import leadership, metadata

TTL = timedelta(minutes=5)


_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class World:
    """Stores under test, with somebody who leads when asked to."""

    name: str
    stores: Stores
    feed: ChangeFeed
    let_lease_run_out: Callable[[], None]
    """Moves the lease's time, never the wall's."""
    open_again: Callable[[], Stores]
    """The same memory as another process would see it."""
    url: str = ""

    def lead(self, holder: str = "alpha") -> int:
        """Become leader; returns the epoch."""
        return self.lease(holder).epoch

    def lease(self, holder: str = "alpha") -> Lease:
        lease = self.stores.leadership.acquire(holder, f"{holder}:7000", TTL)
        assert lease is not None
        return lease


@contextmanager
def memory_world() -> Iterator[World]:
    clock = SteppedClock(datetime(2026, 3, 2, tzinfo=UTC))
    feed = ChangeFeed()
    stores = memory_stores(clock, feed)
    yield World(
        name="memory",
        stores=stores,
        feed=feed,
        let_lease_run_out=lambda: clock.advance_to(clock.now() + TTL),
        open_again=lambda: stores,
    )


@contextmanager
def sql_world(name: str, url: str) -> Iterator[World]:
    opened = [open_stores(url)]
    if (listener := opened[0].listener) is not None:
        # Else what it says when it begins comes amid a test.
        assert listener.wait_until_listening(_PATIENCE_SECONDS)

    def open_again() -> Stores:
        opened.append(open_stores(url))
        return opened[-1].stores

    try:
        yield World(
            name=name,
            stores=opened[0].stores,
            feed=opened[0].feed,
            let_lease_run_out=lambda: _end_lease(opened[0]),
            open_again=open_again,
            url=url,
        )
    finally:
        for one in opened:
            one.close()


def migrated_file(template: Path, target: Path) -> str:
    """A SQLite file at the newest revision, copied from a template that is made once."""
    if not template.exists():
        upgrade(f"sqlite:///{template}")
    shutil.copy(template, target)
    return f"sqlite:///{target}"


def migrated_database(server: ThrowawayServer, name: str) -> str:
    """A PostgreSQL database at the newest revision."""
    url = server.create_database(name)
    upgrade(url)
    return url


def empty(url: str) -> None:
    """Forget everything, the schema aside."""
    database = Database(url, ChangeFeed())
    try:
        with database.write() as tx:
            for table in metadata.tables.values():
                tx.connection.execute(delete(table))
    finally:
        database.close()


def _end_lease(opened: OpenStores) -> None:
    with opened.database.write() as tx:
        over = opened.database.now() - 1
        tx.connection.execute(update(leadership).values(expires_at=over))
