"""Runs in worker processes that are kept from one call to the next, each fed over a pipe.

Workers are spawned, never forked. The first one compiles alone; the others then find the compiled
engine in the cache on disk. A worker ends with its pipe, so none outlives its starter.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from heliostat.clock import monotonic_seconds
from heliostat.errors import InvalidInput, WorkersUnavailable
from heliostat.gc_tuning import collect_seldom
from heliostat.interrupts import ctrl_c_kept_from_children
from simulation.experiments.executors.blame import Blame, simulate_or_blame
from simulation.experiments.executors.port import TellOf
from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import FLUID, RunSpec
from simulation.experiments.warming import warm_up

_SECONDS_BETWEEN_MARKS = 0.2
_LAST_WORD_SECONDS = 5.0
_Job = tuple[int, RunSpec]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    spec: RunSpec | None = None


class Processes:
    """Implements `Executor` on so many processes of this machine."""

    def __init__(self, workers: int, engine: str = FLUID) -> None:
        """Each worker warms up for runs on that engine; others are served too."""
        if workers < 1:
            raise InvalidInput("workers", f"{workers} must be at least 1")
        self._wanted, self._engine = workers, engine
        self._workers: list[_Worker] = []

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        waiting: deque[_Job] = deque(enumerate(specs))
        self._hire(min(self._wanted, len(specs)))
        try:
            for worker in self._workers:
                _feed(worker, waiting)
            while busy := {w.pipe: w for w in self._workers if w.spec is not None}:
                for pipe in wait(list(busy)):
                    assert isinstance(pipe, Connection), "only pipes are waited for"
                    yield from self._hear(busy[pipe], waiting, tell)
        except BaseException:  # Ctrl-C and an abandoned generator too: no run goes on unheard
            self.close()
            raise

    def process_ids(self) -> tuple[int, ...]:
        """The workers that were hired, for whoever watches them."""
        return tuple(worker.process.pid for worker in self._workers if worker.process.pid)

    def close(self) -> None:
        for worker in self._workers:
            if worker.spec is not None:
                worker.process.terminate()
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_LAST_WORD_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []

    def _hire(self, wanted: int) -> None:
        """As many workers as wanted; the very first warms up before the others start."""
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < wanted:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, self._engine), name="run", daemon=True
            )
            with ctrl_c_kept_from_children():
                process.start()
            theirs.close()
            worker = _Worker(process, ours)
            self._workers.append(worker)
            if len(self._workers) == 1:
                self._receive(worker)

    def _hear(
        self, worker: _Worker, waiting: deque[_Job], tell: TellOf
    ) -> Iterator[tuple[int, Outcome]]:
        word = self._receive(worker)
        if word is None:  # another worker's greeting
            return
        place, said = word
        if isinstance(said, Mark):
            tell(place, said)
            return
        spec, worker.spec = worker.spec, None
        if isinstance(said, Blame):
            raise said.error(spec)
        _feed(worker, waiting)
        yield place, said

    def _receive(self, worker: _Worker) -> tuple[int, Mark | Outcome | Blame] | None:
        try:
            word: tuple[int, Mark | Outcome | Blame] | None = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_LAST_WORD_SECONDS)
            raise WorkersUnavailable(
                f"the worker process for {worker.spec or 'warming up'} ended with exit code "
                f"{worker.process.exitcode}",
                remedy="check for killed processes (out of memory?) and repeat the command with fewer "
                "workers; with --resume, what was finished is kept",
            ) from None
        return word


def _feed(worker: _Worker, waiting: deque[_Job]) -> None:
    """Hand the next job to an idle worker."""
    if waiting and worker.spec is None:
        place, spec = waiting.popleft()
        worker.spec = spec
        # A worker that is gone is noticed where its answer is waited for.
        with suppress(BrokenPipeError):
            worker.pipe.send((place, spec))


def _work(pipe: Connection, engine: str) -> None:
    """A worker's life. Ctrl-C is its starter's business; when the starter is gone, so is the pipe."""
    warm_up(engine)
    collect_seldom()
    with suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            place, spec = pipe.recv()
            pipe.send((place, _simulated(pipe, place, spec)))
            gc.collect()  # worlds hold themselves: the last one goes before the next comes


def _simulated(pipe: Connection, place: int, spec: RunSpec) -> Outcome | Blame:
    told = monotonic_seconds()

    def tell(mark: Mark) -> None:
        nonlocal told
        if monotonic_seconds() - told >= _SECONDS_BETWEEN_MARKS:
            told = monotonic_seconds()
            pipe.send((place, mark))

    return simulate_or_blame(spec, tell)
