"""The port of executors, which carry out an experiment's runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec

TellOf = Callable[[int, Mark], None]
"""Hears how far a run is; the number is its place among the specs."""


class Executor(Protocol):
    """Carries runs out, as many at once as it can. The outcome of a spec is the same everywhere."""

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        """Each spec's place and outcome as they finish, in any order.

        `tell` is called in the caller's process. Raises WorkersUnavailable when a worker died: what
        was handed out before stands, the rest may be asked for again. Raises what `simulate` raises.
        """
        ...

    def close(self) -> None:
        """End everything that still runs; may be called twice."""
        ...
