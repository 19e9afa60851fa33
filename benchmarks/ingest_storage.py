"""How fast the store itself takes usage windows in, ten million rows deep, on SQLite and PostgreSQL.

Every window carries three latency sketches; every second call revises the windows of the call before
it (output is booked to the arrival's window by revision), and every tenth call is a replay. Counted
are the windows of all calls that were not replays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
from sqlalchemy import func, select, text

from benchmarks.figure import Benchmark, Figure
from benchmarks.watch import cpu_of, watched
from heliostat.clock import cpu_seconds
from heliostat.model.instants import from_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.usage import UsageBatch, UsageSeries
from migrations import upgrade
from migrations.throwaway import throwaway_server
from storage.opening import OpenStores, open_stores
from storage.sql.tables import usage_windows

_START = 1_772_452_800
_SOURCES, _REGIONS, _MODELS = 50, 10, 20
_SERIES_PER_SOURCE = 60
_PREFILLED_ROWS = 10_000_000
_CALLS, _BATCHES_PER_CALL = 60, 10
_TARGET = 120_000
_COMMAND = "make bench ARGS=ingest_storage."


def sqlite() -> Iterable[Figure]:
    """A file on disk, WAL, synchronous = FULL."""
    with tempfile.TemporaryDirectory(prefix="heliostat-bench-") as directory:
        url = f"sqlite:///{Path(directory) / 'bench.db'}"
        yield from _measure("sqlite", url, _PREFILL_SQLITE, cpu_seconds)


def postgresql() -> Iterable[Figure]:
    """A server of our own with its durable defaults, over a unix socket."""
    with throwaway_server(durable=True, settings=_SERVER_SETTINGS) as server:
        url = server.create_database("bench")
        yield from _measure("postgresql", url, _PREFILL_POSTGRES, _cpu_with_children)


BENCHMARKS: list[Benchmark] = [sqlite, postgresql]

# What an operator would set on a small machine; durability stays as PostgreSQL has it.
_SERVER_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


def _measure(name: str, url: str, prefill: str, cpu: Callable[[], float]) -> Iterator[Figure]:
    upgrade(url)
    opened = open_stores(url)
    try:
        with watched(cpu) as filling:
            _fill(opened, prefill)
        calls = list(_calls())
        with watched(cpu) as watch:
            for batches in calls:
                opened.stores.usage.record(batches)
        windows = sum(len(b) for n, batches in enumerate(calls) if not _replay(n) for b in batches)
        with watched(cpu) as rolling:
            rolled = opened.stores.usage.roll_up(from_epoch(_START + 86_400))
    finally:
        opened.close()
    yield Figure(
        name=f"ingest_storage_{name}_windows_per_second",
        value=windows / watch.wall_seconds,
        unit="windows/s",
        command=_COMMAND + name,
        cpu_seconds=watch.cpu_seconds,
        target=_TARGET,
        better="higher",
        note=f"{windows / watch.cpu_seconds:.0f} windows per CPU second, database's included; "
        f"{_PREFILLED_ROWS / 1e6:.0f}M rows present (filled in {filling.wall_seconds:.0f} s)",
    )
    yield Figure(
        name=f"roll_up_{name}_windows_per_second",
        value=windows / 2 / rolling.wall_seconds,
        unit="windows/s",
        command=_COMMAND + name,
        cpu_seconds=rolling.cpu_seconds,
        better="higher",
        note=f"{windows // 2} windows into {rolled} rows",
    )


# --- what arrives --------------------------------------------------------------------------------


def _calls() -> Iterator[list[UsageBatch]]:
    """Calls as a writer thread would make them: several sources' batches in one transaction."""
    sequences = dict.fromkeys(range(_SOURCES), 0)
    last: list[UsageBatch] = []
    for call in range(_CALLS):
        if not _replay(call):
            last = list(_arriving(call, sequences))
        yield last


def _replay(call: int) -> bool:
    return call % 10 == 9


def _arriving(call: int, sequences: dict[int, int]) -> Iterator[UsageBatch]:
    pair, revises = divmod(call, 2)
    for place in range(_BATCHES_PER_CALL):
        source = (pair * _BATCHES_PER_CALL + place) % _SOURCES
        minute = (pair * _BATCHES_PER_CALL + place) // _SOURCES * 15
        sequences[source] += 1
        yield _batch(source, sequences[source], minute, revision=1 + revises)


def _batch(source: int, sequence: int, minute: int, *, revision: int) -> UsageBatch:
    """A quarter of an hour of one gateway's series."""
    series = _series_of(source)
    rows = len(series) * 15
    one, none = [20] * rows, [0] * rows
    tokens = [20_000 + place for place in range(rows)]
    sketches = [_SKETCHES[place % len(_SKETCHES)] for place in range(rows)]
    return UsageBatch(
        source_id=f"gateway-{source}",
        incarnation=1,
        sequence=sequence,
        series=series,
        series_index=list(range(len(series))) * 15,
        window_start=[_START + (minute + m) * 60 for m in range(15) for _ in series],
        revision=[revision] * rows,
        offered=one,
        admitted=one,
        rejected=none,
        retried=none,
        completed=one,
        input_tokens=tokens,
        output_tokens=tokens,
        ttft=sketches,
        itl=sketches,
        e2e=sketches,
    )


def _series_of(source: int) -> tuple[UsageSeries, ...]:
    origin = RegionName(f"region-{source % _REGIONS}")
    return tuple(
        UsageSeries(origin=origin, serving=origin, model=ModelName(f"model-{m}"), tier=tier)
        for m in range(_SERIES_PER_SOURCE // len(Tier))
        for tier in Tier
    )


_SKETCHES = tuple(
    LatencySketch.of([0.05 * (1.07**k) * (1 + n / 50) for k in range(20)]).to_bytes()
    for n in range(50)
)

# --- the ten million rows before ---------------------------------------------------------------------

_ROW = """{start} - 60 * (1 + i / 3000), 1 + i % 60, 1 + i / 60 % 50,
1, 20, 20, 0, 0, 20, 20000, 20000, {blob}, {blob}, {blob}"""
_PREFILL_SQLITE = f"""
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < :rows - 1)
INSERT INTO usage_windows SELECT {_ROW.format(start=_START, blob=":sketch")} FROM numbers
"""  # noqa: S608 - our own numbers
_PREFILL_POSTGRES = f"""
INSERT INTO usage_windows SELECT {_ROW.format(start=_START, blob="CAST(:sketch AS bytea)")}
FROM generate_series(0, :rows - 1) AS i
"""  # noqa: S608 - our own numbers


def _fill(opened: OpenStores, statement: str) -> None:
    with opened.database.write() as tx:
        if not opened.database.is_sqlite:
            tx.connection.execute(text("SET LOCAL statement_timeout = 0"))
        tx.connection.execute(text(statement), {"rows": _PREFILLED_ROWS, "sketch": _SKETCHES[0]})
    with opened.database.read() as connection:
        there = connection.execute(select(func.count()).select_from(usage_windows)).scalar_one()
    assert there == _PREFILLED_ROWS


# --- measuring -------------------------------------------------------------------------------------


def _cpu_with_children() -> float:
    """This process and the server's; the server's sessions live as long as ours."""
    return cpu_seconds() + cpu_of(psutil.Process().children(recursive=True))
