"""The wire under load: usage ingest over gRPC, a routing change to 1,000 watchers, and memory.

The control plane runs in a process of its own (`benchmarks.wire_plane`) with real parts; the clients
run here, on the same machine, and share its cores. `HELIOSTAT_BENCH_ROWS` sets how many windows
the store holds beforehand (10 million unless said otherwise).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from grpc import aio

from benchmarks.figure import Benchmark, Figure
from benchmarks.wire_load import BATCH_WINDOWS, Load, a_fleet_file, fill
from benchmarks.wire_process import a_plane, memory
from benchmarks.wire_routes import routing_fan_out
from heliostat.clock import SystemClock, cpu_seconds, monotonic_seconds
from heliostat.model.instants import floor_to
from heliostat.model.usage import WINDOW
from heliostat.v1 import usage_pb2
from migrations.running import upgrade
from migrations.throwaway import throwaway_server
from services.translation.usage import batch_to_wire

STREAMS = 4
MEASURED_WINDOWS = 400_000
_PRESENT = "HELIOSTAT_BENCH_ROWS"


def windows_present() -> int:
    """How many windows the store holds before anything is measured. Raises ValueError."""
    asked = os.environ.get(_PRESENT, "10_000_000")
    try:
        return int(asked)
    except ValueError:
        raise ValueError(f"{_PRESENT}={asked!r} is not a number of windows") from None


async def report(address: str, loads: list[list[bytes]]) -> float:
    """Send every list over a stream of its own; seconds until all is durable."""
    started = monotonic_seconds()
    await asyncio.gather(*(_stream(address, requests) for requests in loads))
    return monotonic_seconds() - started


async def _stream(address: str, requests: list[bytes]) -> None:
    async with aio.insecure_channel(
        address, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        report_usage: Any = channel.stream_stream(
            "/heliostat.v1.UsageService/ReportUsage",
            response_deserializer=usage_pb2.ReportUsageResponse.FromString,
        )
        call = report_usage(iter(requests))
        answered = 0
        async for answer in call:
            if answer.HasField("refusal"):
                raise RuntimeError(f"refused: {answer.refusal.message}")
            answered += 1
        if answered != len(requests):
            raise RuntimeError(f"{answered} of {len(requests)} batches were answered")


def _requests(source: str, start: datetime, batches: int) -> list[bytes]:
    load = Load(source, start=start)
    return [
        usage_pb2.ReportUsageRequest(batch=batch_to_wire(load.batch(n))).SerializeToString()
        for n in range(1, batches + 1)
    ]


def _ingest(name: str, url: str, folder: Path) -> Iterator[Figure]:
    present = windows_present()
    now = floor_to(SystemClock().now(), WINDOW)
    command = f"make bench ARGS=wire.ingest_into_{name}"
    fill(url, present, now - timedelta(days=30))
    cpu = cpu_seconds()
    batches = MEASURED_WINDOWS // BATCH_WINDOWS // STREAMS
    sent = batches * STREAMS * BATCH_WINDOWS
    start = now - timedelta(days=2)
    loads = [_requests(f"region-{n}/gateway", start, batches) for n in range(STREAMS)]
    with a_plane(a_fleet_file(folder), url) as plane:
        before = plane.ask("rss")
        seconds = asyncio.run(report(plane.address, loads))
        after = plane.ask("rss")
    served = after["cpu_seconds"] - before["cpu_seconds"]
    spent = served + cpu_seconds() - cpu
    note = (
        f"{STREAMS} streams, three sketches a window, {present:,} windows present; "
        f"{1e6 * served / sent:.1f} µs of the control plane's CPU a window"
    )
    yield Figure(
        name=f"usage ingest over gRPC into {name}",
        value=sent / seconds,
        unit="windows/s",
        target=50_000,
        better="higher",
        command=command,
        cpu_seconds=spent,
        note=note,
    )
    yield memory(f"under ingest into {name}", after, command=command, cpu_seconds=spent)


def ingest_into_sqlite() -> Iterator[Figure]:
    """400,000 windows through four streams into a SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/heliostat.db"
        upgrade(url)
        yield from _ingest("sqlite", url, Path(folder))


def ingest_into_postgresql() -> Iterator[Figure]:
    """The same into a PostgreSQL server of our own."""
    with tempfile.TemporaryDirectory() as folder, throwaway_server() as server:
        server.create_database("bench")
        url = server.url("bench")
        upgrade(url)
        yield from _ingest("postgresql", url, Path(folder))


BENCHMARKS: tuple[Benchmark, ...] = (ingest_into_sqlite, ingest_into_postgresql, routing_fan_out)
