"""Takes runs up from the results beside the pages, so that a clone goes on where another machine stopped.

Only runs by the very same code are taken, each under the name of all that determines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.evidence.ledger import Ledger, Trial
from benchmarks.evidence.writing import RESULTS, read_ledger
from simulation.experiments.folder import RunFolder
from simulation.experiments.result import Outcome, RunResult
from simulation.experiments.spec import RunSpec

_OFFERED = "offered"


@dataclass(slots=True, kw_only=True)
class LedgerFolder(RunFolder):
    """A folder of runs that also finds those of `adopted`, by the run's name."""

    adopted: Mapping[str, RunResult] = field(default_factory=dict)

    def find(self, spec: RunSpec) -> Outcome | None:
        """As a folder does; runs of which the course over time is wanted are not in results."""
        found = RunFolder.find(self, spec)
        if found is not None or spec.recorded:
            return found
        return self.adopted.get(spec.key(self.code))


def adopted(out: Path, pages: Iterable[str], code: str) -> dict[str, RunResult]:
    """What the results hold of runs by that code. Raises InvalidInput where they cannot be read."""
    return {
        trial.run: _result(trial)
        for name in pages
        if (out / RESULTS / f"{name}.json").exists()
        for trial in _of_code(read_ledger(name, out), code)
    }


def _of_code(ledger: Ledger, code: str) -> list[Trial]:
    if ledger.code != code:
        return []
    return [trial for trial in ledger.trials if trial.run and not trial.failure]


def _result(trial: Trial) -> RunResult:
    offered = trial.figures.get(_OFFERED)
    return RunResult(
        figures=trial.figures,
        requests=0 if offered is None else round(offered),
        cpu_seconds=trial.cpu_seconds,
    )
