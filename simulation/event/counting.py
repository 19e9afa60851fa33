"""What is counted: usage windows, totals per demand, latency buckets, waiting batch work."""

from __future__ import annotations

import math
from typing import Any

from heliostat.model.latency import FLOOR_SECONDS, LOG_GAMMA
from simulation.event.compiled import kernel
from simulation.event.layout import (
    BACKLOG_BINS,
    BATCH,
    BUCKETS,
    DEADLINE_BINS,
    KINDS,
    LOWEST_BUCKET,
    TIERS,
    backlog,
    current,
    demands,
    latencies,
    requests,
    sketches,
    windows,
)


@kernel
def window_of(world: Any, region: int, demand: Any) -> int:
    """The open minute's window of a demand that is served in a region."""
    place = ((region * world.models + demand.model) * TIERS + demand.tier) * world.origins
    series = place + demand.origin
    slot = current(world)[series]
    if slot < 0:
        slot = world.free_window
        window = windows(world, slot)
        world.free_window = window.next
        window.series = series
        window.minute = world.minute
        window.offered = window.rejected = window.retried = window.completed = 0
        window.open = window.revision = 0
        window.input = window.output = 0
        current(world)[series] = slot
    return int(slot)


@kernel
def offer(world: Any, region: int, request: int) -> None:
    """Book an attempt to the open minute of its region."""
    asked = requests(world, request)
    demand = demands(world, asked.demand)
    slot = window_of(world, region, demand)
    window = windows(world, slot)
    window.offered += 1
    window.input += asked.input
    window.open += 1
    window.changed = 1
    if asked.attempt > 0:
        window.retried += 1
        demand.retried += 1
    asked.window = slot


@kernel
def bucket_of(seconds: float) -> int:
    """The place of a latency among BUCKETS, as `heliostat.model.latency.bucket_of` counts them."""
    if seconds <= FLOOR_SECONDS:
        return 0
    place = math.ceil(math.log(seconds) / LOG_GAMMA) - LOWEST_BUCKET
    return max(0, min(BUCKETS - 1, place))


@kernel
def count_latency(world: Any, window: int, tier: int, kind: int, bucket: int) -> None:
    """One more request in that bucket of its tier, and of its window where windows carry latencies."""
    latencies(world)[(tier * KINDS + kind) * BUCKETS + bucket] += 1
    if world.with_sketches:
        sketches(world)[(window * KINDS + kind) * BUCKETS + bucket] += 1


@kernel
def count_waiting(world: Any, cell: int, request: int, change: int) -> None:
    """One more, or one less, batch request waits in the cell."""
    asked = requests(world, request)
    if asked.tier == BATCH:
        patience = demands(world, asked.demand).patience
        joined = asked.arrival + asked.joined_after
        place = int((joined + patience) / patience * DEADLINE_BINS) % BACKLOG_BINS
        backlog(world)[cell * BACKLOG_BINS + place] += change
