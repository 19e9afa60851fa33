"""The mix of SLO-aware scheduling's experiments: chat and code half and half, each with its promise.

Promises are those of arXiv 2504.14966: chat TTFT 10 s and 50 ms per token, code 30 s to the end. Its
datasets (ShareGPT, Python-Code-23k) are not here. Chat lengths are those of the Azure conversation trace of
2023 (Patel et al., Splitwise, ISCA 2024; CC-BY-4.0), quantiles as measured on it; the trace's figures are
published. Code is assumed, and named so: short prompts and answers of a few hundred tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from heliostat.model.names import ModelName, Tier
from scheduling.lengths.gaussian import TaskLengths
from scheduling.lengths.prediction import LengthPrediction
from scheduling.request import Promise, Request
from simulation.instance.jobs import Job
from simulation.workload.quantiles import LengthLaws, QuantileLaw

_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.9999)
HISTORY = 500
"""Ended requests of each task from which predictions are learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of request: how it is told apart (its tier), what it is promised, how long it is."""

    tier: Tier
    promise: Promise
    lengths: LengthLaws


CHAT = Task(
    tier=Tier.INTERACTIVE_FAST,
    promise=Promise(ttft_seconds=10.0, itl_seconds=0.05),
    lengths=LengthLaws(
        prompt=QuantileLaw(
            levels=_LEVELS, values=(2, 181, 396, 1020, 1189, 2735, 4083, 4142, 14050)
        ),
        output=QuantileLaw(levels=_LEVELS, values=(7, 41, 85, 129, 395, 424, 451, 601, 1000)),
    ),
)
CODE = Task(
    tier=Tier.INTERACTIVE_NORMAL,
    promise=Promise(ttft_seconds=math.inf, itl_seconds=math.inf, e2e_seconds=30.0),
    # Assumed: we know of no published figures of that dataset.
    lengths=LengthLaws(
        prompt=QuantileLaw(levels=_LEVELS, values=(10, 18, 32, 48, 75, 120, 160, 280, 600)),
        output=QuantileLaw(levels=_LEVELS, values=(20, 90, 190, 300, 430, 580, 700, 950, 1600)),
    ),
)


class Foresight(Enum):
    """What an ordering knows of an output's length."""

    TASK = "task"
    """Mean and deviation of its task's past: the paper's predictor, of which it takes draws."""
    ORACLE = "oracle"
    """Everything; no engine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many requests; all at once, or a Poisson stream of so many per second. `error` blurs what the
    oracle knows: the deviation of ln(predicted ÷ true)."""

    count: int
    per_second: float | None = None
    foresight: Foresight = Foresight.TASK
    error: float = 0.0
    tasks: tuple[Task, ...] = (CHAT, CODE)

    def jobs(self, rng: np.random.Generator) -> tuple[Job, ...]:
        """Draw them; tasks in turn by chance, as many of each as the count allows.

        The same generator gives the same requests whatever is known of them.
        """
        kinds = rng.permutation(np.arange(self.count) % len(self.tasks))
        arrivals = np.zeros(self.count)
        if self.per_second is not None:
            arrivals = np.cumsum(rng.exponential(1 / self.per_second, self.count))
        levels = rng.random((self.count, 2))
        blur = np.exp(self.error * rng.standard_normal(self.count))
        learnt = _learnt(self.tasks, rng)
        jobs = []
        for number, kind in enumerate(kinds.tolist()):
            task = self.tasks[kind]
            prompt = _whole(task.lengths.prompt, levels[number, :1])
            output = _whole(task.lengths.output, levels[number, 1:])
            predicted = learnt.predict(task.tier)
            if self.foresight is Foresight.ORACLE:
                predicted = LengthPrediction.exactly(max(1.0, output * float(blur[number])))
            request = Request(
                id=f"{number:04}",
                model=ModelName("served"),
                tier=task.tier,
                input_tokens=prompt,
                arrival=float(arrivals[number]),
                promise=task.promise,
                predicted=predicted,
            )
            jobs.append(Job(request=request, output_tokens=output))
        return tuple(jobs)


def _whole(law: QuantileLaw, level: NDArray[np.float64]) -> int:
    return max(1, round(float(law.at(level)[0])))


def _learnt(tasks: tuple[Task, ...], rng: np.random.Generator) -> TaskLengths:
    """What `HISTORY` ended requests of each task teach."""
    lengths = TaskLengths(prior=LengthPrediction.exactly(1.0))
    for task in tasks:
        past = np.maximum(1.0, np.rint(task.lengths.output.draw(rng, HISTORY)))
        for output in past.tolist():
            lengths.observe(task.tier, int(output))
    return lengths
