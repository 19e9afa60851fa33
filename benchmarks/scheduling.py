"""Placement inside a region: how long one decision takes among a thousand replicas, in process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.figure import Benchmark, Figure
from heliostat.clock import cpu_seconds, monotonic_seconds
from heliostat.model.names import ModelName, Tier
from scheduling.laws.law import WorkerLaw
from scheduling.lengths.prediction import LengthPrediction
from scheduling.placement.best_fit import BestFit
from scheduling.placement.freeness import Freeness
from scheduling.placement.margins import HOUSE
from scheduling.placement.placer import Placer
from scheduling.placement.rivals import JoinShortestQueue, PowerOfTwo
from scheduling.request import Promise, Request
from scheduling.workers import Workers
from simulation.profiles.shipped import engine_law

REPLICAS = 1000
REQUESTS = 20_000
"""Placed and booked one after the other, so many more ended before."""
AT_A_TIME = 30_000
"""Requests in the region, thirty on each replica: warm, not full."""
MODEL = ModelName("llama2-70b")
_WARM = 200


def placement() -> Iterator[Figure]:
    """Decisions of every placer on the same stream; the state is booked and given back in between."""
    began = cpu_seconds()
    for name, placer, target in (
        ("best fit", BestFit(), 1.0),
        ("best fit, ours", BestFit(HOUSE), 1.0),
        ("join shortest queue", JoinShortestQueue(), None),
        ("power of two", PowerOfTwo(np.random.default_rng(1)), None),
        ("freeness", Freeness(), None),
    ):
        decisions, computed, bookings = _timed(placer)
        spent, began = cpu_seconds() - began, cpu_seconds()
        yield Figure(
            name=f"placement decision p99, {REPLICAS:,} replicas, {name}",
            value=float(np.quantile(decisions, 0.99)) * 1000,
            unit="ms",
            target=target,
            note=f"p50 {np.median(decisions) * 1e6:.0f} µs; p99 of CPU time "
            f"{np.quantile(computed, 0.99) * 1e6:.0f} µs; booking p99 "
            f"{np.quantile(bookings, 0.99) * 1e6:.0f} µs",
            command="make bench ARGS=scheduling.placement",
            cpu_seconds=spent,
        )


def _timed(placer: Placer) -> tuple[list[float], list[float], list[float]]:
    """Seconds of every decision, its CPU seconds, and what booking and completing beside it take."""
    workers, chance = Workers(MODEL), np.random.default_rng(7)
    for place in range(REPLICAS):
        workers.appear(f"vm-{place}", _LAW, 0.0)
    decisions, computed, bookings = [], [], []
    for number in range(AT_A_TIME + REQUESTS):
        now = number / 1000
        request = _request(number, now, chance)
        if number < AT_A_TIME:
            row: int | None = number % REPLICAS
        else:
            start, spent = monotonic_seconds(), cpu_seconds()
            row = placer.place(request, workers, now).row
            computed.append(cpu_seconds() - spent)
            decisions.append(monotonic_seconds() - start)
        start = monotonic_seconds()
        if row is not None:
            workers.book(row, request, now)
            workers.begin(request.id, now)
        workers.complete(str(number - AT_A_TIME), now)
        bookings.append(monotonic_seconds() - start)
    return decisions[_WARM:], computed[_WARM:], bookings[_WARM:]


def _request(number: int, now: float, chance: np.random.Generator) -> Request:
    return Request(
        id=str(number),
        model=MODEL,
        tier=Tier.INTERACTIVE_FAST,
        input_tokens=int(chance.integers(50, 4000)),
        arrival=now,
        promise=Promise(ttft_seconds=1.0, itl_seconds=0.2),
        predicted=LengthPrediction.exactly(float(chance.integers(20, 600))),
    )


_LAW = WorkerLaw.of(engine_law(MODEL, "a100-80gb", 8))

BENCHMARKS: tuple[Benchmark, ...] = (placement,)
