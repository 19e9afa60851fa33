"""What survives kill -9 in the middle of a write: all of a call or nothing, and a true sequence."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heliostat.clock import sleep_seconds
from heliostat.model.instants import Span
from heliostat.model.usage import UsageQuery
from migrations import upgrade
from migrations.throwaway import ThrowawayServer
from tests.contracts.builders import QUARTER, T0, at, batch, window
from tests.contracts.worlds import sql_world

_KEEPER = Path(__file__).parent / "endless_keeper.py"
_WRITER = Path(__file__).parent / "endless_writer.py"
_BATCHES_PER_CALL = 2
_WINDOWS_PER_BATCH = 500


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(
        "sqlite_url" if request.param == "sqlite" else "postgres_url"
    )
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
