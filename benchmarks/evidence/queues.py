"""Queues of one replica, run under every ordering: what the page on annealing rests on.

A trial is one ordering at one setting with one seed: means over several draws of requests, the same for
every ordering. `headroom` is what a sweep varies: requests at once, requests a second, or how far
predictions are off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from benchmarks.evidence.ledger import Trial
from heliostat.clock import cpu_seconds
from scheduling.ordering.annealing import PAPER
from scheduling.ordering.every import MOST
from scheduling.ordering.exhaustive import Exhaustive
from scheduling.ordering.latency import LatencyModel
from scheduling.ordering.port import Ordering, Queue
from scheduling.ordering.registry import ORDERINGS
from simulation.instance.jobs import Job, Served, outcome
from simulation.instance.mix import Foresight, Load
from simulation.instance.replica import Replica
from simulation.profiles.shipped import engine_law

AT_ONCE, JOINING, STREAM, BLURRED, PLANS = "at-once", "joining", "stream", "blurred", "plans"
KEPT, SECONDS, GAIN, MILLISECONDS = "kept", "seconds", "gain", "milliseconds"
MODELS: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {"32B": ("llama2-70b", "h100-80gb", 2), "7B": ("llama-3.1-8b", "a100-80gb", 2)}
)
"""The paper's models, and the measured law that stands for each."""
COUNTS, CAPS = (4, 7, 20, 40), (1, 2, 4, 8)
ERRORS = (0.0, 0.1, 0.25, 0.5, 1.0)
RATES: Mapping[tuple[bool, int], tuple[float, ...]] = MappingProxyType(
    {
        (False, 1): (0.04, 0.06, 0.08, 0.1),
        (False, 4): (0.1, 0.15, 0.2, 0.3),
        (False, 8): (0.2, 0.3, 0.4, 0.6),
        (True, 4): (0.2, 0.3, 0.4, 0.5),
        (True, 8): (0.4, 0.6, 0.8, 1.0),
    }
)
"""Requests a second by (continuous, batch cap): from a light load to one that cannot be served in time."""
STREAM_REQUESTS, PLANNED = 100, 40
EXHAUSTIVE, NOBODY_STARVES = "exhaustive", "annealing, nobody starves"
_ALL = {**ORDERINGS, NOBODY_STARVES: replace(PAPER, starved_after=None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A replica and what is known of lengths; `str` of it is how trials name it."""

    model: str
    cap: int
    foresight: Foresight
    continuous: bool = False

    def __str__(self) -> str:
        batches = "joining" if self.continuous else "static"
        return f"{self.model}, {batches}, cap {self.cap}, {self.foresight.value}"

    @property
    def replica(self) -> Replica:
        """Static batches are ordered when somebody came; who may join, at every admission."""
        return Replica(
            law=engine_law(*MODELS[self.model]),
            batch_cap=self.cap,
            continuous=self.continuous,
            replan_seconds=0.0 if self.continuous else None,
        )


def policy_name(ordering: str, setting: Setting) -> str:
    """What a trial calls an ordering at a setting."""
    return f"{ordering} | {setting}"


def at_once(seed: int) -> Iterator[Trial]:
    """So many at once, one order, static batches."""
    for setting in settings(MODELS, CAPS):
        for count in COUNTS:
            load = Load(count=count, foresight=setting.foresight)
            yield from _trials(AT_ONCE, setting, load, count, seed, _orderings(count), draws=16)


def joining(seed: int) -> Iterator[Trial]:
    """So many at once, continuous batching, ordered anew at each admission."""
    for setting in settings(("32B",), CAPS[1:], continuous=True):
        for count in COUNTS[1:]:
            load = Load(count=count, foresight=setting.foresight)
            yield from _trials(JOINING, setting, load, count, seed, _ALL, draws=8)


def streams(seed: int) -> Iterator[Trial]:
    """A Poisson stream, ordered anew whenever somebody came."""
    for (continuous, cap), rates in RATES.items():
        for setting in settings(("32B",), (cap,), continuous=continuous):
            for rate in rates:
                load = Load(count=STREAM_REQUESTS, per_second=rate, foresight=setting.foresight)
                yield from _trials(STREAM, setting, load, rate, seed, _ALL, draws=4)


def blurred(seed: int) -> Iterator[Trial]:
    """Forty at once, with an oracle that errs more and more."""
    for setting in settings(("32B",), (1, 4)):
        if setting.foresight is not Foresight.ORACLE:
            continue
        for error in ERRORS:
            load = Load(count=PLANNED, foresight=setting.foresight, error=error)
            yield from _trials(BLURRED, setting, load, error, seed, ORDERINGS, draws=16)


def plans(seed: int) -> Iterator[Trial]:
    """CPU time of one order of forty requests, the median of many, after warm-up."""
    for setting in settings(("32B",), CAPS):
        jobs = Load(count=PLANNED, foresight=setting.foresight).jobs(np.random.default_rng(seed))
        queue = queue_of(jobs, setting)
        for name in ("annealing", "heliostat"):
            yield Trial(
                scenario=PLANS,
                policy=policy_name(name, setting),
                headroom=PLANNED,
                seed=seed,
                figures={MILLISECONDS: plan_milliseconds(ORDERINGS[name], queue)},
            )


def queue_of(jobs: Iterable[Job], setting: Setting) -> Queue:
    """Those jobs waiting at once."""
    return Queue(
        requests=tuple(job.request for job in jobs),
        latency=LatencyModel.of(setting.replica.law),
        now=0.0,
        batch_cap=setting.cap,
    )


def settings(
    models: Iterable[str], caps: Iterable[int], *, continuous: bool = False
) -> Iterator[Setting]:
    """Every combination, with the task's past and with an oracle."""
    for model in models:
        for cap in caps:
            for foresight in Foresight:
                yield Setting(model=model, cap=cap, foresight=foresight, continuous=continuous)


def _orderings(count: int) -> Mapping[str, Ordering]:
    """All, and the exhaustive one where it can be waited for. Nobody starves at once."""
    return {**ORDERINGS, EXHAUSTIVE: Exhaustive()} if count < MOST else ORDERINGS


def _trials(
    scenario: str,
    setting: Setting,
    load: Load,
    headroom: float,
    seed: int,
    orderings: Mapping[str, Ordering],
    *,
    draws: int,
) -> Iterator[Trial]:
    loads = [load.jobs(np.random.default_rng((seed, draw))) for draw in range(draws)]
    for name, ordering in orderings.items():
        chance = np.random.default_rng((seed, draws))
        served = [one for jobs in loads for one in setting.replica.serve(jobs, ordering, chance)]
        yield Trial(
            scenario=scenario,
            policy=policy_name(name, setting),
            headroom=headroom,
            seed=seed,
            figures=_figures(served),
        )


def _figures(served: list[Served]) -> dict[str, float | None]:
    found = outcome(served)
    return {KEPT: found.attainment, SECONDS: found.mean_seconds, GAIN: found.gain}


def plan_milliseconds(ordering: Ordering, queue: Queue, times: int = 50) -> float:
    """CPU time of one order, from values to values: the median of many, after warm-up."""
    chance = np.random.default_rng(1)
    ordering.order(queue, chance)
    taken = []
    for _ in range(times):
        began = cpu_seconds()
        ordering.order(queue, chance)
        taken.append(1000 * (cpu_seconds() - began))
    return float(np.median(taken))
