"""How long an order takes to find, and how far from the best of all orders it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from benchmarks.evidence.queues import CAPS, Setting, plan_milliseconds, queue_of
from benchmarks.figure import Benchmark, Figure
from heliostat.clock import cpu_seconds
from scheduling.ordering.annealing import HELIOSTAT, PAPER, RANDOM_WALK
from scheduling.ordering.exhaustive import Exhaustive
from scheduling.ordering.goal import Goal
from scheduling.ordering.port import Ordering, Queue
from simulation.instance.mix import Foresight, Load

REQUESTS = 40
SEEDS = 1000
FEW = (4, 5, 6, 7, 8)


def _queue(count: int, cap: int, seed: int) -> Queue:
    """Half chat and half code, all at once, lengths known."""
    setting = Setting(model="32B", cap=cap, foresight=Foresight.ORACLE)
    load = Load(count=count, foresight=setting.foresight)
    return queue_of(load.jobs(np.random.default_rng(seed)), setting)


def plan() -> Iterable[Figure]:
    """One order of 40 requests, from values to values, after warm-up: the batch cap that takes longest."""
    for name, ordering in (("annealing (paper's form)", PAPER), ("heliostat", HELIOSTAT)):
        began = cpu_seconds()
        slowest = max(
            plan_milliseconds(ordering, _queue(REQUESTS, cap, seed=1), times=200) for cap in CAPS
        )
        yield Figure(
            name=f"order of {REQUESTS} requests, {name}, median CPU",
            value=slowest,
            unit="ms",
            target=1.0,
            command="make bench ARGS=ordering.plan",
            cpu_seconds=cpu_seconds() - began,
            note=f"slowest of batch caps {CAPS}, 200 orders each",
        )


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
