"""Runs one after the other in this process; the engine is compiled before the first, charged to none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulation.experiments.executors.port import TellOf
from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Mark, simulate
from simulation.experiments.spec import RunSpec
from simulation.experiments.warming import warm_up


class Serial:
    """Implements `Executor` without any helpers."""

    def __init__(self) -> None:
        self._warm: set[str] = set()

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        for place, spec in enumerate(specs):
            if spec.engine not in self._warm:
                warm_up(spec.engine)
                self._warm.add(spec.engine)

            def told(mark: Mark, place: int = place) -> None:
                tell(place, mark)

            yield place, simulate(spec, told)

    def close(self) -> None:
        """There is nothing to end."""
