"""Fixtures that put each contract test before memory, SQLite and PostgreSQL in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations.throwaway import ThrowawayServer, throwaway_server
from tests.contracts.worlds import (
    World,
    empty,
    memory_world,
    migrated_database,
    migrated_file,
    sql_world,
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[ThrowawayServer]:
    """A real server for the session (one per xdist process)."""
    with throwaway_server() as server:
        yield server


@pytest.fixture(scope="module")
def postgres_url(postgres: ThrowawayServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database for the module."""
    name = request.module.__name__.rsplit(".", 1)[-1]
    yield migrated_database(postgres, name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the migrated SQLite file is kept that tests copy."""
    return tmp_path_factory.mktemp("sqlite") / "template.db"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of the test's own."""
    return migrated_file(sqlite_template, tmp_path / "heliostat.db")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Empty stores of each kind."""
    if request.param == "memory":
        with memory_world() as world:
            yield world
        return
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    if request.param == "postgresql":
        empty(url)
    with sql_world(request.param, url) as world:
        yield world
