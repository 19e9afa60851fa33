"""Migrations lead every database to the tables that the code expects, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from heliostat.errors import (
    DatabaseInUse,
    DataLoss,
    InvalidSettings,
    MigrationAhead,
    MigrationBehind,
    StorageUnavailable,
)
from migrations import check, downgrade, head, upgrade
from migrations.check import differences
from migrations.throwaway import ThrowawayServer
from storage.notify import ChangeFeed
from storage.opening import open_stores
from storage.sql.database import Database
from storage.sql.tables import SCHEMA_REVISION


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: ThrowawayServer = request.getfixturevalue("postgres")
    return server.create_database(f"empty_{abs(hash(request.node.nodeid))}")


def test_up_down_and_up_again_leaves_the_tables_that_storage_describes(empty_url: str) -> None:
    assert differences(empty_url) == []


def test_a_mistyped_file_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(MigrationBehind, match=r"there is no file .*typo\.db"):
        open_stores(f"sqlite:///{tmp_path}/typo.db")
    assert not (tmp_path / "typo.db").exists()


def test_a_database_without_tables_is_refused_with_the_way_out(empty_url: str) -> None:
    with pytest.raises(MigrationBehind, match="heliostat db upgrade"):
        open_stores(empty_url)
    with pytest.raises(MigrationBehind):
        check(empty_url)


def test_upgrading_is_repeatable_and_opens_the_stores(empty_url: str) -> None:
    assert upgrade(empty_url) == upgrade(empty_url) == head() == SCHEMA_REVISION
    check(empty_url)
    open_stores(empty_url).close()


def test_a_database_of_a_newer_release_is_refused_and_left_alone(empty_url: str) -> None:
    upgrade(empty_url)
    database = Database(empty_url, ChangeFeed())
    with database.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    for refused in (open_stores, check, upgrade, lambda url: downgrade(url, "0001")):
        with pytest.raises(MigrationAhead, match=r"newer release .*9999"):
            refused(empty_url)


def test_no_schema_goes_back_under_a_leader(empty_url: str) -> None:
    upgrade(empty_url)
    opened = open_stores(empty_url)
    lease = opened.stores.leadership.acquire("plane-1", "plane-1:7443", timedelta(hours=1))
    assert lease is not None
    with pytest.raises(DatabaseInUse, match="plane-1 at plane-1:7443 leads"):
        downgrade(empty_url, "0001")
    check(empty_url)
    opened.stores.leadership.release(lease)
    opened.close()
    assert downgrade(empty_url, "0001") == "0001"
    assert upgrade(empty_url) == SCHEMA_REVISION


def test_two_processes_that_upgrade_at_once_both_succeed(empty_url: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(upgrade, [empty_url] * 2)) == [SCHEMA_REVISION] * 2


def test_downgrading_to_nothing_leaves_nothing_that_opens(empty_url: str) -> None:
    upgrade(empty_url)
    assert downgrade(empty_url, "base") == ""
    with pytest.raises(MigrationBehind):
        open_stores(empty_url)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:"]
)
def test_what_is_no_database_of_ours_is_named(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"database"):
        open_stores(url)


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        open_stores(f"postgresql://nobody@/nothing?host={tmp_path}")


def test_a_file_that_is_no_database_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is not a database. " * 1000)
    with pytest.raises(DataLoss):
        open_stores(f"sqlite:///{tmp_path / 'text.db'}")
