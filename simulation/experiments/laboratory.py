"""Gets runs done: what lies in the folder is taken from there, the rest is executed and kept at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simulation.experiments.executors.port import Executor
from simulation.experiments.folder import RunFolder
from simulation.experiments.result import Outcome
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec


class Watcher(Protocol):
    """Hears how an experiment goes on, for a progress bar; called in the caller's thread."""

    def asked(self, runs: int) -> None:
        """So many more runs are needed."""
        ...

    def marked(self, spec: RunSpec, mark: Mark) -> None:
        """A run has come that far."""
        ...

    def done(self, spec: RunSpec, outcome: Outcome, *, found: bool) -> None:
        """A run is finished; `found` = it was in the folder already."""
        ...


class Unwatched:
    """Nobody looks."""

    def asked(self, runs: int) -> None:
        """Nobody hears."""

    def marked(self, spec: RunSpec, mark: Mark) -> None:
        """Nobody hears."""

    def done(self, spec: RunSpec, outcome: Outcome, *, found: bool) -> None:
        """Nobody hears."""


class Laboratory:
    """Runs specs, each once; an outcome that was had before is not made again."""

    def __init__(
        self, executor: Executor, folder: RunFolder, watcher: Watcher | None = None
    ) -> None:
        self._executor, self._folder = executor, folder
        self._watcher = watcher or Unwatched()
        self._known: dict[str, Outcome] = {}
        self.found = 0
        """Runs that were taken from the folder."""

    def outcomes(self, specs: Sequence[RunSpec]) -> list[Outcome]:
        """One outcome per spec, in order. Raises WorkersUnavailable; what was finished is kept."""
        keys = [self._key(spec) for spec in specs]
        wanted = {k: s for k, s in zip(keys, specs, strict=True) if k not in self._known}
        self._watcher.asked(len(wanted))
        missing = [key for key, spec in wanted.items() if not self._take(key, spec)]
        todo = [wanted[key] for key in missing]

        def tell(place: int, mark: Mark) -> None:
            self._watcher.marked(todo[place], mark)

        if todo:
            for place, outcome in self._executor.run(todo, tell):
                self._folder.keep(todo[place], outcome)
                self._known[missing[place]] = outcome
                self._watcher.done(todo[place], outcome, found=False)
        return [self._known[key] for key in keys]

    def _take(self, key: str, spec: RunSpec) -> bool:
        """Whether the folder has it."""
        outcome = self._folder.find(spec)
        if outcome is None:
            return False
        self._known[key] = outcome
        self.found += 1
        self._watcher.done(spec, outcome, found=True)
        return True

    def _key(self, spec: RunSpec) -> str:
        return spec.key(self._folder.code)
