"""How long an order takes to find, and how far from the best of all orders it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from benchmarks.figure import Benchmark, Figure
from heliostat.clock import cpu_seconds, monotonic_seconds
from scheduling.ordering.annealing import HELIOSTAT, PAPER, RANDOM_WALK
from scheduling.ordering.exhaustive import Exhaustive
from scheduling.ordering.goal import Goal
from scheduling.ordering.latency import LatencyModel
from scheduling.ordering.port import Ordering, Queue
from simulation.instance.mix import Foresight, Load
from simulation.profiles.shipped import engine_law

LAW = ("llama2-70b", "h100-80gb", 2)
CAPS = (1, 2, 4, 8)
REQUESTS = 40
SEEDS = 1000
FEW = (4, 5, 6, 7, 8)


def _queue(count: int, cap: int, seed: int, foresight: Foresight = Foresight.ORACLE) -> Queue:
    """Half chat and half code, all at once."""
    jobs = Load(count=count, foresight=foresight).jobs(np.random.default_rng(seed))
    return Queue(
        requests=tuple(job.request for job in jobs),
        latency=LatencyModel.of(engine_law(*LAW)),
        now=0.0,
        batch_cap=cap,
    )


def plan() -> Iterable[Figure]:
    """One order of 40 requests, from values to values, after warm-up: the batch cap that takes longest."""
    for name, ordering in (("annealing (paper's form)", PAPER), ("heliostat", HELIOSTAT)):
        began = cpu_seconds()
        median = max(_milliseconds(ordering, cap) for cap in CAPS)
        yield Figure(
            name=f"order of {REQUESTS} requests, {name}, median",
            value=median,
            unit="ms",
            target=1.0,
            command="make bench ARGS=ordering.plan",
            cpu_seconds=cpu_seconds() - began,
            note=f"slowest of batch caps {CAPS}, 200 orders each",
        )


def _milliseconds(ordering: Ordering, cap: int) -> float:
    queue, chance = _queue(REQUESTS, cap, seed=1), np.random.default_rng(1)
    ordering.order(queue, chance)
    taken = []
    for _ in range(200):
        began = monotonic_seconds()
        ordering.order(queue, chance)
        taken.append(1000 * (monotonic_seconds() - began))
    return float(np.median(taken))


def optimum() -> Iterable[Figure]:
    """G of annealing below that of the best order, over 1,000 queues of 4 to 8 requests."""
    for name, ordering, targets in (
        ("annealing", replace(PAPER, contented=False), (1.0, 10.0)),
        ("random walk", replace(RANDOM_WALK, contented=False), (None, None)),
        ("annealing, done when all promises hold", PAPER, (None, None)),
    ):
        began = cpu_seconds()
        gaps = [_gap(ordering, seed) for seed in range(SEEDS)]
        spent = cpu_seconds() - began
        for what, value, target in zip(
            ("mean", "p99"), (np.mean(gaps), np.quantile(gaps, 0.99)), targets, strict=True
        ):
            yield Figure(
                name=f"{name}, {what} below the best order of all",
                value=100 * float(value),
                unit="%",
                target=target,
                command="make bench ARGS=ordering.optimum",
                cpu_seconds=spent,
                note=f"{SEEDS} queues of {FEW[0]} to {FEW[-1]}, batch caps {CAPS}",
            )


def _gap(ordering: Ordering, seed: int) -> float:
    """The share of the best G that is missed; 0 where no order keeps a promise."""
    queue = _queue(FEW[seed % len(FEW)], CAPS[seed // len(FEW) % len(CAPS)], seed)
    chance = np.random.default_rng(seed)
    best = Exhaustive(goal=Goal.GAIN).order(queue, chance).expected.gain
    found = ordering.order(queue, chance).expected.gain
    return 1 - found / best if best else 0.0


BENCHMARKS: tuple[Benchmark, ...] = (plan, optimum)
