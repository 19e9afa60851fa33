"""The wire under load: usage ingest over gRPC, a routing change to 1,000 watchers, and memory.

The control plane runs in a process of its own (`benchmarks.wire_plane`) with real parts; the clients
run here, on the same machine, and share its cores. `HELIOSTAT_BENCH_ROWS` sets how many windows
the store holds beforehand (10 million unless said otherwise).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from grpc import aio

from benchmarks.figure import Benchmark, Figure
from heliostat.clock import SystemClock, cpu_seconds, monotonic_seconds
from heliostat.model.instants import floor_to
from heliostat.model.latency import LatencySketch
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.usage import WINDOW, UsageBatch, UsageSeries
from heliostat.v1 import routing_pb2, usage_pb2
from migrations.running import upgrade
from migrations.throwaway import throwaway_server
from services.translation.usage import batch_to_wire
from storage.opening import open_stores

ROWS_BEFORE = int(os.environ.get("HELIOSTAT_BENCH_ROWS", "10000000"))
WATCHERS = 1000
CHANGES = 20
REGIONS, MODELS = 10, 20
BATCH_ROWS = 2000
STREAMS = 4
MEASURED_WINDOWS = 400_000
SETTLING_SECONDS = 0.5
"""How long a watcher takes to check a table and write it to disk before it answers. A thousand gateways
have a thousand machines; here they share one processor with the control plane."""
SKETCHES = 512
"""How many different sketches the load draws from."""


# --- the load --------------------------------------------------------------------------------------


def a_fleet_file(folder: Path) -> Path:
    """A catalogue of ten regions and twenty models, enlarged from the example."""
    example = yaml.safe_load(Path("deploy/catalogue.yaml").read_text(encoding="utf-8"))
    region, model = example["regions"][0], example["models"][0]
    example["regions"] = [
        {**region, "name": f"region-{i}", "ingress_endpoint": f"gw.region-{i}.example:8443"}
        for i in range(REGIONS)
    ]
    example["models"] = [{**model, "name": f"model-{i}"} for i in range(MODELS)]
    example["round_trip_ms"] = {
        f"region-{i}": {f"region-{j}": 4 if i == j else 10 + 5 * (j - i) for j in range(i, REGIONS)}
        for i in range(REGIONS)
    }
    example["pools"] = {"min_replicas": 0, "max_replicas": 60}
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump(example), encoding="utf-8")
    return path


class Load:
    """Batches of one source after the other: every series of every minute, with three sketches."""

    def __init__(self, source: str, *, start: datetime, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self._source = source
        self._start = int(start.timestamp())
        self._series = tuple(
            UsageSeries(
                origin=RegionName(f"region-{region}"),
                serving=RegionName(f"region-{region}"),
                model=ModelName(f"model-{model}"),
                tier=tier,
            )
            for region in range(REGIONS)
            for model in range(MODELS)
            for tier in Tier
        )
        self._sketches = [
            LatencySketch.of(rng.lognormal(-1, 0.7, size=40)).to_bytes() for _ in range(SKETCHES)
        ]
        self._offered = rng.integers(20, 200, size=BATCH_ROWS).tolist()
        self._tokens = rng.integers(10_000, 500_000, size=BATCH_ROWS).tolist()

    def batch(self, sequence: int) -> UsageBatch:
        """The batch of that sequence; other sequences are other windows."""
        places = range((sequence - 1) * BATCH_ROWS, sequence * BATCH_ROWS)
        series = len(self._series)
        sketches = [self._sketches[place % SKETCHES] for place in places]
        step = int(WINDOW.total_seconds())
        return UsageBatch(
            source_id=self._source,
            incarnation=1,
            sequence=sequence,
            series=self._series,
            series_index=[place % series for place in places],
            window_start=[self._start + place // series * step for place in places],
            revision=[1] * BATCH_ROWS,
            offered=self._offered,
            admitted=self._offered,
            rejected=[0] * BATCH_ROWS,
            retried=[0] * BATCH_ROWS,
            completed=self._offered,
            input_tokens=self._tokens,
            output_tokens=self._tokens,
            ttft=sketches,
            itl=sketches,
            e2e=sketches,
        )


def fill(url: str, rows: int, start: datetime) -> None:
    """Put that many windows into the store, beside the wire."""
    opened = open_stores(url)
    try:
        load = Load("region-0/before", start=start)
        for sequence in range(1, rows // BATCH_ROWS + 1, 20):
            last = min(sequence + 20, rows // BATCH_ROWS + 1)
            opened.stores.usage.record([load.batch(number) for number in range(sequence, last)])
    finally:
        opened.close()


# --- the control plane -----------------------------------------------------------------------------


@dataclass
class Plane:
    """A control plane in a child process."""

    process: subprocess.Popen[str]
    address: str = ""

    def ask(self, order: str) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the control plane ended; it said why on standard error")
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def a_plane(catalogue: Path, database: str) -> Iterator[Plane]:
    """A control plane that runs until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.wire_plane"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    plane = Plane(process)
    wishes = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "",
        "catalogue": str(catalogue),
        "database": database,
        "scheduled": False,
        "workers": 1,
        "usage_behind": timedelta(days=4000).total_seconds(),
    }
    try:
        plane.address = plane.ask(json.dumps(wishes))["address"]
        yield plane
    finally:
        assert process.stdin is not None
        process.stdin.write("stop\n")
        process.stdin.close()
        process.wait(60)


# --- usage -----------------------------------------------------------------------------------------


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
    now = floor_to(SystemClock().now(), WINDOW)
    command = f"make bench ARGS=wire.ingest_into_{name}"
    fill(url, ROWS_BEFORE, now - timedelta(days=30))
    cpu = cpu_seconds()
    batches = MEASURED_WINDOWS // BATCH_ROWS // STREAMS
    start = now - timedelta(days=2)
    loads = [_requests(f"region-{n}/gateway", start, batches) for n in range(STREAMS)]
    with a_plane(a_fleet_file(folder), url) as plane:
        before = plane.ask("rss")
        seconds = asyncio.run(report(plane.address, loads))
        after = plane.ask("rss")
    spent = after["cpu_seconds"] - before["cpu_seconds"] + cpu_seconds() - cpu
    server = 1e6 * (after["cpu_seconds"] - before["cpu_seconds"]) / (batches * STREAMS * BATCH_ROWS)
    note = (
        f"{STREAMS} streams, three sketches a window, {ROWS_BEFORE:,} windows present; {server:.1f} µs "
        "of the control plane's CPU a window"
    )
    yield Figure(
        name=f"usage ingest over gRPC into {name}",
        value=batches * STREAMS * BATCH_ROWS / seconds,
        unit="windows/s",
        target=50_000,
        better="higher",
        command=command,
        cpu_seconds=spent,
        note=note,
    )
    yield Figure(
        name=f"control plane RSS under ingest into {name}",
        value=after["rss_bytes"] / 1e6,
        unit="MB",
        target=400,
        command=command,
        cpu_seconds=spent,
        note="without fit workers",
    )


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


# --- routes ----------------------------------------------------------------------------------------


class Watchers:
    """Gateways that only note when a table came, as ready bytes: each has a machine of its own."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.bytes = 0
        self.all_there = asyncio.Event()

    async def watch(self, channel: aio.Channel, number: int, ready: asyncio.Semaphore) -> None:
        """One gateway: subscribe, then note and acknowledge every table."""
        watch_routes: Any = channel.stream_stream("/heliostat.v1.RoutingService/WatchRoutes")
        stream = watch_routes()
        subscription = routing_pb2.RouteSubscription(
            origin_region=f"region-{number % REGIONS}", gateway_id=f"gw-{number}"
        )
        await stream.write(
            routing_pb2.WatchRoutesRequest(subscribe=subscription).SerializeToString()
        )
        first = True
        while (data := await stream.read()) is not aio.EOF:
            self.arrivals.append(monotonic_seconds())
            if len(self.arrivals) == WATCHERS:
                self.all_there.set()
            self.bytes = len(data)
            if first:
                ready.release()
                first = False
            await asyncio.sleep(SETTLING_SECONDS)
            response = routing_pb2.WatchRoutesResponse.FromString(data)
            word = routing_pb2.RouteAcknowledgement(
                version=response.table.version, nonce=response.nonce, accepted=True
            )
            await stream.write(
                routing_pb2.WatchRoutesRequest(acknowledgement=word).SerializeToString()
            )


async def fan_out(plane: Plane, changes: int) -> tuple[list[float], int]:
    """Seconds from the decision's commit to each watcher, over several changes; bytes of a table."""
    watchers, ready = Watchers(), asyncio.Semaphore(0)
    plane.ask("publish")
    channels = [
        aio.insecure_channel(plane.address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(20)
    ]
    tasks = [
        asyncio.create_task(watchers.watch(channels[n % len(channels)], n, ready))
        for n in range(WATCHERS)
    ]
    for _ in range(WATCHERS):
        await ready.acquire()
    seconds: list[float] = []
    for _ in range(changes):
        await asyncio.sleep(2)
        watchers.arrivals.clear()
        watchers.all_there.clear()
        answer = await asyncio.to_thread(plane.ask, "publish")
        await watchers.all_there.wait()
        seconds += [arrival - answer["started"] for arrival in watchers.arrivals]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return seconds, watchers.bytes


def routing_fan_out() -> Iterator[Figure]:
    """One decision about ten regions' tables reaches 1,000 gateways, who acknowledge it."""
    command = "make bench ARGS=wire.routing_fan_out"
    with tempfile.TemporaryDirectory() as folder:
        cpu = cpu_seconds()
        url = f"sqlite:///{folder}/heliostat.db"
        with a_plane(a_fleet_file(Path(folder)), url) as plane:
            before = plane.ask("rss")
            seconds, size = asyncio.run(fan_out(plane, changes=CHANGES))
            after = plane.ask("rss")
    spent = after["cpu_seconds"] - before["cpu_seconds"] + cpu_seconds() - cpu
    busy = 1000 * (after["cpu_seconds"] - before["cpu_seconds"]) / CHANGES
    note = (
        f"tables of {size / 1000:.0f} kB, counted from before the commit into SQLite; {busy:.0f} ms "
        "of the control plane's CPU a change, words of all watchers included"
    )
    for percent, target in ((50, None), (99, 300.0)):
        yield Figure(
            name=f"routing change to {WATCHERS} watchers, p{percent}",
            value=1000 * float(np.percentile(seconds, percent)),
            unit="ms",
            target=target,
            command=command,
            cpu_seconds=spent,
            note=note,
        )
    yield Figure(
        name=f"control plane RSS with {WATCHERS} watchers",
        value=after["rss_bytes"] / 1e6,
        unit="MB",
        target=400,
        command=command,
        cpu_seconds=spent,
        note="without fit workers",
    )


BENCHMARKS: tuple[Benchmark, ...] = (ingest_into_sqlite, ingest_into_postgresql, routing_fan_out)
