"""One replica that serves a load in the order that an `Ordering` gives: static or continuous batches.

Static: a batch starts when the one before it has ended, and shrinks as its members end. Continuous: who
stands first joins as soon as a place is free. Prompts are prefilled whole and together, decoding
stands still meanwhile. A request is admitted when prompt and output fit into the KV memory that is left;
real engines find out later and preempt, which the mixes of our experiments never come near.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from scheduling.ordering.latency import LatencyModel
from scheduling.ordering.port import Ordering, Queue
from scheduling.request import Request
from simulation.instance.iterations import iterations_reaching, iterations_seconds
from simulation.instance.jobs import Job, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """How it works. The queue is ordered anew before an admission when somebody came since, or when the
    order is `replan_seconds` old (None: an order never ages)."""

    law: EngineLaw
    batch_cap: int
    continuous: bool = False
    replan_seconds: float | None = None

    def serve(
        self, jobs: Iterable[Job], ordering: Ordering, chance: np.random.Generator
    ) -> tuple[Served, ...]:
        """Serve them all; in the order in which they end. Raises InvalidInput for one that never fits."""
        return _Run(replica=self, ordering=ordering, chance=chance).through(jobs)


@dataclass(slots=True, kw_only=True)
class _Sequence:
    job: Job
    first_token: float
    generated: int = 1

    @property
    def left(self) -> int:
        return self.job.output_tokens - self.generated

    @property
    def context(self) -> int:
        return self.job.request.input_tokens + self.generated


@dataclass(slots=True, kw_only=True)
class _Run:
    replica: Replica
    ordering: Ordering
    chance: np.random.Generator
    now: float = 0.0
    coming: list[Job] = field(default_factory=list)
    waiting: dict[str, Job] = field(default_factory=dict)
    running: list[_Sequence] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    plan: list[tuple[Request, ...]] = field(default_factory=list)
    planned_at: float | None = None

    def through(self, jobs: Iterable[Job]) -> tuple[Served, ...]:
        self.coming = sorted(jobs, key=lambda job: job.request.arrival)
        self.coming.reverse()
        for job in self.coming:
            if job.tokens > self.replica.law.kv_tokens:
                raise InvalidInput("job", f"{job.request.id}: {job.tokens} tokens never fit")
        while self.coming or self.waiting or self.running:
            if not (self.waiting or self.running):
                self.now = max(self.now, self.coming[-1].request.arrival)
            self._arrive()
            self._admit()
            if self.running:
                self._decode()
        return tuple(self.served)

    def _arrive(self) -> None:
        while self.coming and self.coming[-1].request.arrival <= self.now:
            job = self.coming.pop()
            self.waiting[job.request.id] = job
            self.planned_at = None

    def _free(self) -> int:
        if self.running and not self.replica.continuous:
            return 0
        return self.replica.batch_cap - len(self.running)

    def _admit(self) -> None:
        free = self._free()
        if not free or not self.waiting:
            return
        self._replan()
        if self.replica.continuous:
            chosen = [request for batch in self.plan for request in batch][:free]
        else:
            chosen = list(self.plan[0])
        jobs = self._fitting(chosen)
        taken = {job.request.id for job in jobs}
        self.plan = [
            rest
            for batch in self.plan
            if (rest := tuple(request for request in batch if request.id not in taken))
        ]
        for name in taken:
            del self.waiting[name]
        if jobs:
            self.now += self.replica.law.prefill_seconds(
                sum(job.request.input_tokens for job in jobs)
            )
            self.running += [_Sequence(job=job, first_token=self.now) for job in jobs]
            self._end()

    def _replan(self) -> None:
        age = self.replica.replan_seconds
        if self.planned_at is not None and (age is None or self.now < self.planned_at + age):
            return
        queue = Queue(
            requests=tuple(job.request for job in self.waiting.values()),
            latency=LatencyModel.of(self.replica.law),
            now=self.now,
            batch_cap=self.replica.batch_cap,
            continuous=self.replica.continuous,
        )
        self.plan = list(self.ordering.order(queue, self.chance).batches)
        self.planned_at = self.now

    def _fitting(self, chosen: Sequence[Request]) -> list[Job]:
        """Those at the head whose tokens still fit into memory."""
        left = self.replica.law.kv_tokens - sum(one.job.tokens for one in self.running)
        jobs = []
        for request in chosen:
            job = self.waiting[request.id]
            left -= job.tokens
            if left < 0:
                break
            jobs.append(job)
        return jobs

    def _decode(self) -> None:
        """On to the next end, or to the iteration in which somebody comes for whom there is a place."""
        law, many = self.replica.law, len(self.running)
        tokens = sum(one.context for one in self.running)
        count = min(one.left for one in self.running)
        if self.coming and self._free():
            wait = self.coming[-1].request.arrival - self.now
            count = iterations_reaching(law, many, tokens, wait, count)
        self.now += iterations_seconds(law, many, tokens, count)
        for one in self.running:
            one.generated += count
        self._end()

    def _end(self) -> None:
        ended = [one for one in self.running if not one.left]
        self.served += [
            Served(job=one.job, first_token=one.first_token, end=self.now) for one in ended
        ]
        self.running = [one for one in self.running if one.left]
