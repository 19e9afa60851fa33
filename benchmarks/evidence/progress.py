"""Says how far the running has come: a line per finished run, with what is left by then."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from benchmarks.evidence.excerpts import outcome_words
from heliostat.clock import monotonic_seconds
from simulation.experiments.result import Outcome, RunFailure
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec


@dataclass(slots=True)
class _Stage:
    """What a stage may still need: so many runs of so many simulated days on a scenario."""

    scenario: str
    runs: float
    days: float


class Progress:
    """Implements `Watcher`; `expect` tells it beforehand how many runs a stage may need.

    What is left is an estimate: searches end when they end. Runs that were found cost nothing. A
    scenario that was not run yet is taken to cost per simulated day what the others did.
    """

    def __init__(
        self,
        workers: int,
        *,
        out: TextIO = sys.stderr,
        stopwatch: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._workers, self._out, self._stopwatch = workers, out, stopwatch
        self._began = stopwatch()
        self._stage = ""
        self._expected: dict[str, _Stage] = {}
        self._spent: dict[str, tuple[int, float]] = {}
        """Scenario → the runs that were made, and their CPU seconds."""
        self._days: dict[str, float] = {}
        self.cpu_seconds = 0.0
        """Of all runs that were looked at, found ones included."""
        self.runs = self.made = 0

    def expect(self, stage: str, scenario: str, runs: float, days: float = 1.0) -> None:
        """So many runs of that many simulated days may be needed for a stage."""
        self._expected[stage] = _Stage(scenario, runs, days)
        self._days[scenario] = days

    def enter(self, stage: str) -> None:
        """The runs that follow belong to this stage."""
        self._stage = stage
        self._say(f"— {stage}; about {self._left()} left")

    def leave(self, stage: str) -> None:
        """The stage has all that it needs."""
        self._expected.pop(stage, None)

    def asked(self, runs: int) -> None:
        """Nobody counts them: stages said what they expect."""

    def marked(self, spec: RunSpec, mark: Mark) -> None:
        """Runs are short enough to be told when they are finished."""

    def done(self, spec: RunSpec, outcome: Outcome, *, found: bool) -> None:
        """Say it, and what is left."""
        if self._count(spec.scene.name, outcome.cpu_seconds, found=found):
            return
        said = (
            f"failed at {outcome.at}: {outcome.error}"
            if isinstance(outcome, RunFailure)
            else outcome_words(outcome.figures)
        )
        self._finished(f"{spec.scene.name}: {spec}: {said}", outcome.cpu_seconds)

    def measured(self, what: str, seed: int, spent: float, *, found: bool) -> None:
        """A page's own measurement of a seed is done."""
        if not self._count(what, spent, found=found):
            self._finished(f"{what}, seed {seed}", spent)

    def _count(self, scenario: str, spent: float, *, found: bool) -> bool:
        """Book it; whether it was found, and there is nothing to say."""
        self.runs += 1
        self.cpu_seconds += spent
        stage = self._expected.get(self._stage)
        if stage is not None:
            stage.runs = max(0.0, stage.runs - 1)
        if not found:
            self.made += 1
            made, seconds = self._spent.get(scenario, (0, 0.0))
            self._spent[scenario] = (made + 1, seconds + spent)
        return found

    def _finished(self, what: str, spent: float) -> None:
        passed = (self._stopwatch() - self._began) / 60
        self._say(f"{passed:5.1f} min  {what} ({spent:.1f} CPU s), about {self._left()} left")

    def _left(self) -> str:
        """By what runs on each scenario cost so far."""
        if not self._spent:
            return f"{sum(stage.runs for stage in self._expected.values()):.0f} runs"
        days = sum(made * self._days.get(at, 1.0) for at, (made, _) in self._spent.items())
        a_day = sum(seconds for _, seconds in self._spent.values()) / days
        seconds = 0.0
        for stage in self._expected.values():
            made, spent = self._spent.get(stage.scenario, (0, 0.0))
            seconds += stage.runs * (spent / made if made else stage.days * a_day)
        return f"{seconds / self._workers / 60:.0f} min"

    def _say(self, words: str) -> None:
        print(words, file=self._out, flush=True)
