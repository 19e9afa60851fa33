"""What survives kill -9 in the middle of a write: all of a call or nothing, and a true sequence."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from heliostat.clock import sleep_seconds
from heliostat.errors import StorageUnavailable
from heliostat.model.instants import Span
from heliostat.model.usage import UsageQuery
from migrations import upgrade
from migrations.throwaway import ThrowawayServer
from storage.opening import OpenStores, open_stores
from tests.contracts.builders import QUARTER, T0, at, batch, window
from tests.contracts.worlds import empty, sql_world

_KEEPER = Path(__file__).parent / "endless_keeper.py"
_WRITER = Path(__file__).parent / "endless_writer.py"
_BATCHES_PER_CALL = 2
_WINDOWS_PER_BATCH = 500


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(
        "sqlite_url" if request.param == "sqlite" else "postgres_url"
    )
    empty(found)
    return found


def kill_in_mid_keeping(url: str, rounds: int, later_seconds: float) -> None:
    """Run a process that records, rolls up and prunes, and kill it so long after so many rounds."""
    command = [sys.executable, str(_KEEPER), url, str(_WINDOWS_PER_BATCH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        for _ in range(rounds):
            assert process.stdout.readline()
        sleep_seconds(later_seconds)
        process.send_signal(signal.SIGKILL)


def kill_in_mid_write(url: str, calls: int) -> None:
    """Run a process that records without end, and kill it at some instant after so many calls."""
    command = [sys.executable, str(_WRITER), url, str(_BATCHES_PER_CALL), str(_WINDOWS_PER_BATCH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        for _ in range(calls):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def test_kill_9_leaves_all_of_a_call_or_nothing_and_the_sequence_says_which(url: str) -> None:
    for calls in (1, 3, 5):
        kill_in_mid_write(url, calls)
    with sql_world("after", url) as world:
        usage = world.stores.usage
        durable = usage.durable_sequence("writer", 1)
        assert durable >= 9 * _BATCHES_PER_CALL
        assert durable % _BATCHES_PER_CALL == 0
        stored = sum(
            bucket.windows
            for bucket in usage.query(UsageQuery(span=Span(T0, at(10**6)), bucket=QUARTER))
        )
        assert stored == durable * _WINDOWS_PER_BATCH
        (receipt,) = usage.record([batch(window(0), source="writer", sequence=durable + 1)])
        assert receipt.durable_sequence == durable + 1


@pytest.fixture(params=["sqlite", "postgresql"])
def own_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own: retention would refuse what other tests write."""
    own = f"sqlite:///{tmp_path / 'own.db'}"
    if request.param == "postgresql":
        server: ThrowawayServer = request.getfixturevalue("postgres")
        own = server.create_database(f"own_{abs(hash(request.node.nodeid))}")
    upgrade(own)
    return own


def test_kill_9_in_roll_up_and_retention_loses_no_window_and_counts_none_twice(
    own_url: str,
) -> None:
    url = own_url
    for number in range(5):
        kill_in_mid_keeping(url, 1 + number % 2, number * 0.013)
        with sql_world(f"after-{number}", url) as world:
            usage = world.stores.usage
            durable = usage.durable_sequence("keeper", 1)
            buckets = usage.query(UsageQuery(span=Span(T0, at(10**6)), bucket=QUARTER))
            assert sum(bucket.windows for bucket in buckets) == durable * _WINDOWS_PER_BATCH


def test_a_database_without_room_refuses_a_call_whole_and_takes_it_once_there_is(
    postgres_url: str,
) -> None:
    empty(postgres_url)
    opened = open_stores(postgres_url)
    flood = batch(*(window(minute) for minute in range(3000)))
    try:
        limit_every_connection(opened, work_mem="64kB", temp_file_limit="0")
        with pytest.raises(StorageUnavailable, match="temp_file_limit"):
            opened.stores.usage.record([flood])
        assert opened.stores.usage.durable_sequence("gateway-1", 1) == 0
        limit_every_connection(opened, temp_file_limit="-1")
        (receipt,) = opened.stores.usage.record([flood])
        assert receipt.durable_sequence == 1
    finally:
        opened.close()


def limit_every_connection(opened: OpenStores, **limits: str) -> None:
    """Stand in for a full disk: PostgreSQL says of both that it lacks resources."""

    def limiting(connection: Any, _record: object) -> None:
        for name, value in limits.items():
            connection.execute(f"SET {name} = '{value}'")
        connection.commit()

    opened.database.engine.dispose()
    event.listen(opened.database.engine, "connect", limiting)


def test_what_a_receipt_calls_durable_survives_a_power_cut(sqlite_url: str) -> None:
    """SQLite with a write-ahead log syncs it at every commit only when told so (2 = FULL)."""
    opened = open_stores(sqlite_url)
    try:
        with opened.database.write() as tx:
            level = tx.connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        assert level == 2
    finally:
        opened.close()
