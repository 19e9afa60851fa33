"""Aladdin's step 2 (arXiv 2405.06856): how many workers a load needs, by Little's law or by a dry run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName
from scheduling.laws.law import WorkerLaw
from scheduling.placement.placer import Placer
from scheduling.request import Request
from scheduling.sizing.configuration import Configuration
from scheduling.sizing.load import Load
from scheduling.workers import Workers

MOST_WORKERS = 100_000


def workers_by_littles_law(load: Load, configuration: Configuration) -> int:
    """ceil(λ · residence ÷ batch): on the mean so many requests are there, so many fit on a worker.

    0 for no load. Knows no chance: a fleet of this size keeps promises only where requests queue
    little. Raises InvalidInput for a configuration that cannot keep the promise.
    """
    if configuration.excluded:
        raise InvalidInput("configuration", configuration.excluded)
    busy = load.requests_per_second * configuration.residence_seconds / configuration.batch
    return math.ceil(busy - 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request of a dry run, and how many tokens it generated when it really ran."""

    request: Request
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a fleet did with past arrivals, by its laws."""

    workers: int
    placed: int
    refused: int

    @property
    def attainment(self) -> float:
        """The share that found a worker which keeps every promise, at once."""
        return self.placed / max(1, self.placed + self.refused)


def dry_run(arrivals: Sequence[Arrival], law: WorkerLaw, placer: Placer, count: int) -> DryRun:
    """Place these arrivals, in order of time, on so many workers of that law.

    A request that is placed begins when the placer expects it to, runs at the iterations of its worker
    as they are when it comes, and is stalled by the prefills that follow it there; one that finds no
    worker is refused and runs nowhere. Raises InvalidInput for arrivals that are not in order.
    """
    workers = Workers(arrivals[0].request.model if arrivals else ModelName("none"))
    for place in range(count):
        workers.appear(str(place), law, 0.0)
    running: list[_Running] = []
    placed, before = 0, -math.inf
    for arrival in arrivals:
        request, now = arrival.request, arrival.request.arrival
        if now < before:
            raise InvalidInput("arrivals", f"{request.id} arrives before the previous one")
        before = now
        _end_those_due(workers, running, now)
        found = placer.place(request, workers, now)
        if found.row is None or found.expected_ttft_seconds is None:
            continue
        workers.book(found.row, request, now)
        placed += 1
        row = workers.rows[found.row]
        there, context = int(row["running"] + row["waiting"]), float(row["context_tokens"])
        decoding = law.iteration_seconds(there, context) * (arrival.output_tokens - 1)
        end = now + found.expected_ttft_seconds + decoding
        stalled = float(row["stalled_seconds"])
        heapq.heappush(
            running, _Running(end, request.id, found.row, stalled, arrival.output_tokens)
        )
    return DryRun(workers=count, placed=placed, refused=len(arrivals) - placed)


class _Running(NamedTuple):
    """Who runs until when, if nothing stalls it beyond what had stalled its worker so far."""

    end: float
    name: str
    row: int
    stalled: float
    output_tokens: int


def _end_those_due(workers: Workers, running: list[_Running], now: float) -> None:
    """Complete who ended by now; who was stalled meanwhile ends later by as much."""
    while running and running[0].end <= now:
        one = heapq.heappop(running)
        stalled = float(workers.rows[one.row]["stalled_seconds"])
        if stalled > one.stalled:
            later = one._replace(end=one.end + stalled - one.stalled, stalled=stalled)
            heapq.heappush(running, later)
        else:
            workers.complete(one.name, one.end, one.output_tokens)


def fewest_workers(
    arrivals: Sequence[Arrival],
    law: WorkerLaw,
    make_placer: Callable[[], Placer],
    target: float,
    *,
    most: int = MOST_WORKERS,
) -> DryRun | None:
    """The smallest fleet whose dry run reaches the target attainment; None when `most` do not.

    Doubles until it does, then halves the gap: taken as if more workers never served fewer. Raises
    InvalidInput for a target outside (0, 1].
    """
    if not 0 < target <= 1 or most < 1:
        raise InvalidInput("target", f"attainment {target} with at most {most} workers")
    low, high = 0, 1
    found: DryRun | None = None
    while True:
        tried = dry_run(arrivals, law, make_placer(), high)
        if tried.attainment >= target:
            found = tried
            break
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        tried = dry_run(arrivals, law, make_placer(), middle)
        if tried.attainment >= target:
            high, found = middle, tried
        else:
            low = middle
    return found
