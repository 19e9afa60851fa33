"""Runs one after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulation.experiments.executors.port import TellOf
from simulation.experiments.live import Mark, live
from simulation.experiments.result import Outcome
from simulation.experiments.spec import RunSpec


class Serial:
    """Implements `Executor` without any helpers."""

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        for place, spec in enumerate(specs):

            def told(mark: Mark, place: int = place) -> None:
                tell(place, mark)

            yield place, live(spec, told)

    def close(self) -> None:
        """There is nothing to end."""
