"""Water-filling of one model's demand into regions: where the plan wants it, then nearest, then shed.

Tiers are filled one after the other, the strictest first, so that what cannot be served is taken
from the most patient. Each tier goes where the plan wants it as far as the usable capacity of a
region reaches (those who want too much are cut alike), then to the nearest regions with usable
capacity left, then into the replicas' headroom, nearest first, and only what no region can carry
at full load is shed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.model.names import RegionName

_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One origin's requests per second, where they should go (weights), where they may (nearest first).

    `throughput` is requests per second of one replica in each region that may serve.
    """

    origin: RegionName
    requests_per_second: float
    wanted: Mapping[RegionName, float]
    serving: Sequence[RegionName]
    throughput: Mapping[RegionName, float]


@dataclass(slots=True)
class Capacity:
    """Replicas still free in each region: within the SLO (`usable`) and at full load (`full`)."""

    usable: dict[RegionName, float]
    full: dict[RegionName, float]

    def take(self, region: RegionName, replicas: float) -> None:
        """Book busy replicas."""
        self.usable[region] = max(0.0, self.usable[region] - replicas)
        self.full[region] = max(0.0, self.full[region] - replicas)


Placement = dict[RegionName, dict[RegionName, float]]
"""Requests per second by origin and serving region; what is missing from a demand was not placed."""


def fill(wants: Sequence[Want], capacity: Capacity) -> Placement:
    """Place one tier's demand of all origins and book it in `capacity`."""
    placed: Placement = {want.origin: {} for want in wants}
    left = {want.origin: want.requests_per_second for want in wants}
    _as_wanted(wants, capacity, placed, left)
    for room in (capacity.usable, capacity.full):
        ranks = max((len(want.serving) for want in wants), default=0)
        for rank in range(ranks):
            _to_rank(wants, rank, room, capacity, placed, left)
    return placed


def _as_wanted(
    wants: Sequence[Want], capacity: Capacity, placed: Placement, left: dict[RegionName, float]
) -> None:
    asked = {
        want.origin: {
            region: want.requests_per_second * weight
            for region, weight in want.wanted.items()
            if region in want.serving
        }
        for want in wants
    }
    _pour(wants, asked, capacity.usable, capacity, placed, left)


def _to_rank(
    wants: Sequence[Want],
    rank: int,
    room: dict[RegionName, float],
    capacity: Capacity,
    placed: Placement,
    left: dict[RegionName, float],
) -> None:
    asked = {
        want.origin: {want.serving[rank]: left[want.origin]}
        for want in wants
        if rank < len(want.serving) and left[want.origin] > _NOTHING
    }
    _pour(wants, asked, room, capacity, placed, left)


def _pour(
    wants: Sequence[Want],
    asked: Mapping[RegionName, Mapping[RegionName, float]],
    room: dict[RegionName, float],
    capacity: Capacity,
    placed: Placement,
    left: dict[RegionName, float],
) -> None:
    """Grant what is asked; where a region cannot hold all of it, everyone gets the same part."""
    load: dict[RegionName, float] = {}
    for want in wants:
        for region, rate in asked.get(want.origin, {}).items():
            load[region] = load.get(region, 0.0) + rate / want.throughput[region]
    part = {
        region: min(1.0, room[region] / busy) if busy > _NOTHING else 1.0
        for region, busy in load.items()
    }
    for want in wants:
        for region, rate in asked.get(want.origin, {}).items():
            granted = rate * part[region]
            if granted <= _NOTHING:
                continue
            placed[want.origin][region] = placed[want.origin].get(region, 0.0) + granted
            left[want.origin] -= granted
            capacity.take(region, granted / want.throughput[region])
