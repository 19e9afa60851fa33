"""A disk that is full or may not be written is said so, takes nothing back, and needs no restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from heliostat.errors import InvalidSettings, StorageUnavailable
from storage.opening import OpenStores, open_stores
from tests.contracts.builders import batch, window


@pytest.fixture
def opened(sqlite_url: str) -> Iterator[OpenStores]:
    opened = open_stores(sqlite_url)
    yield opened
    opened.close()


def set_on_every_connection(opened: OpenStores, pragma: str) -> None:
    def setting(connection: Any, _record: object) -> None:
        connection.execute(pragma).close()

    opened.database.engine.dispose()
    event.listen(opened.database.engine, "connect", setting)


def pages(opened: OpenStores) -> int:
    with opened.database.read() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def test_a_full_disk_stores_all_of_a_call_or_nothing_and_goes_on_once_there_is_room(
    opened: OpenStores, sqlite_url: str
) -> None:
    usage = opened.stores.usage
    usage.record([batch(window(0))])
    set_on_every_connection(opened, f"PRAGMA max_page_count = {pages(opened)}")
    flood = batch(*(window(minute) for minute in range(1, 3000)), sequence=2)
    with pytest.raises(StorageUnavailable, match="full; free space on its disk"):
        usage.record([flood])
    assert usage.durable_sequence("gateway-1", 1) == 1
    set_on_every_connection(opened, "PRAGMA max_page_count = 1000000")
    (receipt,) = usage.record([flood])
    assert receipt.durable_sequence == 2


def test_a_file_that_may_only_be_read_says_what_must_be_writable(opened: OpenStores) -> None:
    set_on_every_connection(opened, "PRAGMA query_only = 1")
    with pytest.raises(StorageUnavailable, match="its -wal and -shm and their directory writable"):
        opened.stores.usage.record([batch(window(0))])
    assert opened.stores.usage.first_window() is None


def test_a_path_that_leads_nowhere_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="nowhere is not a directory"):
        open_stores(f"sqlite:///{tmp_path / 'nowhere' / 'h.db'}")
    with pytest.raises(InvalidSettings, match="is a directory"):
        open_stores(f"sqlite:///{tmp_path}")
