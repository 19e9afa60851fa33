"""Trials that are no simulated runs: a page's own measurement, seed by seed, each kept once it is done."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.evidence.ledger import Trial
from benchmarks.evidence.wanted import Measured
from heliostat.clock import cpu_seconds

FOLDER = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Kept under `path`/measured by code, module and seed; a file that cannot be read is measured again."""

    path: Path
    code: str

    def trials(self, wanted: Measured, seed: int) -> tuple[Sequence[Trial], float, bool]:
        """The trials of that seed, the CPU seconds they took, and whether they lay there already."""
        file = self.path / FOLDER / f"{self._key(wanted, seed)}.json"
        found = _read(file)
        if found is not None:
            return (*found, True)
        began = cpu_seconds()
        trials = tuple(wanted.measure(seed))
        spent = cpu_seconds() - began
        _write(file, trials, spent)
        return trials, spent, False

    def _key(self, wanted: Measured, seed: int) -> str:
        """The rooms that compute are in the code's fingerprint; the page's own module is not."""
        module = sys.modules[wanted.measure.__module__]
        source = Path(str(module.__file__)).read_bytes()
        told = f"{self.code}\0{wanted.scenario}\0{wanted.measure.__qualname__}\0{seed}\0".encode()
        return hashlib.sha256(told + source).hexdigest()[:32]


def _read(file: Path) -> tuple[Sequence[Trial], float] | None:
    try:
        told = json.loads(file.read_text("utf-8"))
        return tuple(Trial(**trial) for trial in told["trials"]), float(told["cpu_seconds"])
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _write(file: Path, trials: Sequence[Trial], spent: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {"cpu_seconds": spent, "trials": [asdict(trial) for trial in trials]}
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(told), "utf-8")
    beside.replace(file)
