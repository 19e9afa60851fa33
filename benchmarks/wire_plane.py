"""A control plane in a process of its own, for the benchmarks of the wire: `python -m benchmarks.wire_plane`.

Takes one JSON line of settings on standard input, answers with its address, then obeys lines:
`publish` makes and publishes new routing tables, `rss` tells its memory, `stop` ends it. Answers
are JSON lines on standard output.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import psutil

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import cpu_seconds, monotonic_seconds
from heliostat.gc_tuning import collect_seldom
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from heliostat.ports.decisions import Decision
from services.control_plane.bootstrap import parts_of
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import ControlPlaneSettings


async def main() -> None:
    """Serve until told to stop."""
    wishes = json.loads(await _line())
    settings = ControlPlaneSettings(**wishes)
    parts = parts_of(settings)
    plane = ControlPlane(parts, settings)
    await plane.start()
    collect_seldom()  # as `heliostat serve` does
    _say(address=plane.address)
    number = 0
    while (order := (await _line()).strip()) != "stop":
        if order == "publish":
            number += 1
            tables = tables_like(parts.catalogue, parts.clock.now(), number)
            started = monotonic_seconds()
            await asyncio.to_thread(
                parts.stores.decisions.commit,
                Decision(tables=tables),
                epoch=plane.leader.epoch(),
            )
            _say(started=started, committed=monotonic_seconds())
        elif order == "rss":
            gc.collect()
            process = psutil.Process()
            _say(rss_bytes=process.memory_info().rss, cpu_seconds=cpu_seconds())
        else:
            raise ValueError(f"nobody knows the order {order!r}")
    await plane.stop()


def tables_like(catalogue: FleetCatalogue, at: datetime, number: int) -> tuple[RoutingTable, ...]:
    """One whole table per region: every model and tier goes to up to four regions."""
    return tuple(
        RoutingTable(
            origin=region.name,
            valid_from=at,
            stale_after=timedelta(minutes=5),
            entries=tuple(
                _entry(catalogue, region.name, model.name, tier.tier, number)
                for model in catalogue.models
                for tier in model.tiers
            ),
        )
        for region in catalogue.regions
    )


def _entry(
    catalogue: FleetCatalogue, origin: RegionName, model: ModelName, tier: Tier, number: int
) -> RouteEntry:
    near = catalogue.nearest_first(origin)[:4]
    moved = number % 1000
    weights = [MILLION // len(near)] * len(near)
    weights[0] += MILLION - sum(weights) - moved
    return RouteEntry(
        model=model,
        tier=tier,
        shares=tuple(
            RouteShare(
                serving=serving,
                weight_ppm=weight,
                ingress_endpoint=catalogue.region(serving).ingress_endpoint,
            )
            for serving, weight in zip(near, weights, strict=True)
        ),
        shed_ppm=moved,
        fallback=near,
        reason="own region first, then the nearest with room",
    )


async def _line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def _say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
