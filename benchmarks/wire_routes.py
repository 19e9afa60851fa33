"""A routing change on its way to 1,000 gateways, who check it, keep it and acknowledge it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from grpc import aio

from benchmarks.figure import Figure
from benchmarks.wire_load import REGIONS, a_fleet_file
from benchmarks.wire_process import Plane, a_plane, memory
from heliostat.clock import cpu_seconds, monotonic_seconds
from heliostat.v1 import routing_pb2

WATCHERS = 1000
CHANGES = 20
SETTLING_SECONDS = 0.5
"""How long a watcher takes to check a table and write it to disk before it answers. A thousand gateways
have a thousand machines; here they share one processor with the control plane."""
_CONNECTIONS = 20
_QUIET_SECONDS = 2.0
"""Between changes, so that the words on one table do not delay the next."""


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
        for _ in range(_CONNECTIONS)
    ]
    tasks = [
        asyncio.create_task(watchers.watch(channels[n % len(channels)], n, ready))
        for n in range(WATCHERS)
    ]
    for _ in range(WATCHERS):
        await ready.acquire()
    seconds: list[float] = []
    for _ in range(changes):
        await asyncio.sleep(_QUIET_SECONDS)
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
    served = after["cpu_seconds"] - before["cpu_seconds"]
    spent = served + cpu_seconds() - cpu
    note = (
        f"tables of {size / 1000:.0f} kB, counted from before the commit into SQLite; "
        f"{1000 * served / CHANGES:.0f} ms of the control plane's CPU a change, their "
        "acknowledgements included"
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
    yield memory(f"with {WATCHERS} watchers", after, command=command, cpu_seconds=spent)
