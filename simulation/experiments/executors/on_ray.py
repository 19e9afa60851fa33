"""Runs on a Ray cluster: the one that RAY_ADDRESS names, else a local one that is started and ended here.

Every node needs this checkout installed under the same Python, and sees scenario files under the
same paths.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from heliostat.clock import monotonic_seconds
from heliostat.errors import InvalidSettings, WorkersUnavailable
from simulation.experiments.executors.blame import Blame, simulate_or_blame
from simulation.experiments.executors.port import TellOf
from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec
from simulation.experiments.warming import warm_up

_SECONDS_BETWEEN_MARKS = 0.5


class OnRay:
    """Implements `Executor`, one CPU a run. `workers` is the size of a cluster that is started here."""

    def __init__(self, workers: int) -> None:
        self._ray = _ray()
        self._started = not self._ray.is_initialized()
        if self._started:
            self._join_or_start(workers)
        self._board = self._ray.remote(num_cpus=0)(_Board).remote()
        self._simulate = self._ray.remote(num_cpus=1, max_retries=0)(_simulate)

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        ray = self._ray
        under_way = {
            self._simulate.remote(spec, place, self._board): place
            for place, spec in enumerate(specs)
        }
        try:
            while under_way:
                done, _ = ray.wait(list(under_way), num_returns=1, timeout=_SECONDS_BETWEEN_MARKS)
                for place, mark in ray.get(self._board.take.remote()):
                    tell(place, mark)
                for ref in done:
                    place = under_way.pop(ref)
                    yield place, self._outcome(ref, specs[place])
        finally:
            for ref in under_way:
                ray.cancel(ref, force=True)

    def close(self) -> None:
        if self._started:
            self._ray.shutdown()
            self._started = False

    def _outcome(self, ref: Any, spec: RunSpec) -> Outcome:
        try:
            found: Outcome | Blame = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            raise WorkersUnavailable(
                f"the Ray worker for {spec} was lost: {type(error).__name__}",
                remedy="check for killed processes (out of memory?) and repeat the command; with --resume, "
                "what was finished is kept",
            ) from error
        if isinstance(found, Blame):
            raise found.error(spec)
        return found

    def _join_or_start(self, workers: int) -> None:
        quiet = {"log_to_driver": False, "configure_logging": False}
        try:
            if os.environ.get("RAY_ADDRESS"):
                self._ray.init(address=os.environ["RAY_ADDRESS"], **quiet)
            else:
                self._ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
        except (RuntimeError, OSError) as error:
            raise WorkersUnavailable(
                f"Ray did not start: {error}",
                remedy="check RAY_ADDRESS if it is set, and Ray's logs under /tmp/ray; or leave "
                "--executor ray out",
            ) from error


_warm = cache(warm_up)


class _Board:
    """An actor on which runs write how far they are."""

    def __init__(self) -> None:
        self._marks: dict[int, Mark] = {}

    def put(self, place: int, mark: Mark) -> None:
        """Note the newest mark of a run."""
        self._marks[place] = mark

    def take(self) -> list[tuple[int, Mark]]:
        """The newest mark of each run that said anything since the last call."""
        marks, self._marks = self._marks, {}
        return sorted(marks.items(), key=lambda one: one[0])


def _simulate(spec: RunSpec, place: int, board: Any) -> Outcome | Blame:
    """A task; a worker's first one imports and compiles what no run is charged with."""
    _warm(spec.engine)
    told = monotonic_seconds()

    def tell(mark: Mark) -> None:
        nonlocal told
        if monotonic_seconds() - told >= _SECONDS_BETWEEN_MARKS:
            told = monotonic_seconds()
            board.put.remote(place, mark)

    return simulate_or_blame(spec, tell)


def _ray() -> Any:
    """The library, which is an optional extra; it tells nobody that it is used."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise InvalidSettings(
            "--executor",
            "Ray is not installed",
            remedy="`pip install 'ray>=2.40'` with the pip of the environment that runs heliostat",
        ) from error
    return ray
