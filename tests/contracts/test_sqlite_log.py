"""SQLite's write-ahead log takes no room on the disk once housekeeping has been there."""

from __future__ import annotations

from pathlib import Path

from storage.opening import open_stores
from tests.contracts.builders import T0, at, batch, window


def log_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///") + "-wal")


def test_housekeeping_gives_the_log_back(sqlite_url: str) -> None:
    opened = open_stores(sqlite_url)
    try:
        opened.stores.usage.record([batch(*(window(minute) for minute in range(500)))])
        assert log_of(sqlite_url).stat().st_size > 0
        opened.stores.usage.prune(T0, T0)
        assert log_of(sqlite_url).stat().st_size == 0
        assert opened.stores.usage.first_window() == T0
    finally:
        opened.close()


def test_a_long_reader_keeps_the_log_and_stops_nobody(sqlite_url: str) -> None:
    opened = open_stores(sqlite_url)
    try:
        opened.stores.usage.record([batch(window(0))])
        with opened.database.read() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM usage_windows").scalar()
            opened.stores.usage.record([batch(window(1), sequence=2)])
            assert opened.database.give_back_log() is False
            opened.stores.usage.record([batch(window(2), sequence=3)])
        assert opened.database.give_back_log() is True
        assert opened.stores.usage.durable_sequence("gateway-1", 1) == 3
        assert opened.stores.usage.first_window() == at(0)
    finally:
        opened.close()
