"""A folder of finished runs: each is written at once, whole or not at all, and found again by its key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliostat.errors import InvalidInput
from simulation.experiments.fingerprint import code_fingerprint
from simulation.experiments.result import Outcome, outcome_as_mapping, outcome_of
from simulation.experiments.spec import RunSpec
from storage.whole_files import write_whole

RUNS = "runs"


@dataclass(slots=True, kw_only=True)
class RunFolder:
    """Keeps outcomes under `path`/runs; `path` None keeps nothing. Several may write at once.

    `corrupt` names files that could not be read back; their runs are made anew.
    """

    path: Path | None
    code: str = field(default_factory=code_fingerprint)
    corrupt: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        try:
            (self.path / RUNS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(str(self.path), f"cannot be created: {error.strerror}") from error

    def find(self, spec: RunSpec) -> Outcome | None:
        """The outcome kept for the spec; None when there is none, or none that can be read."""
        file = self._file(spec)
        if file is None or not file.exists():
            return None
        try:
            told = json.loads(file.read_text("utf-8"))
            if told["run"] != file.stem:
                raise ValueError("it belongs to another run")
            if told["digest"] != _digest(told["outcome"]):
                raise ValueError("its digest does not match")
            return outcome_of(told["outcome"])
        except (
            OSError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
        ) as error:
            self.corrupt.append(f"{file.name} ({spec}) cannot be read back: {error}")
            return None

    def keep(self, spec: RunSpec, outcome: Outcome) -> None:
        """Write the outcome. Raises InvalidInput when the folder cannot be written to."""
        file = self._file(spec)
        if file is None:
            return
        told = json.loads(json.dumps(outcome_as_mapping(outcome)))
        whole = {
            "run": file.stem,
            "spec": spec.as_mapping(),
            "digest": _digest(told),
            "outcome": told,
        }
        try:
            write_whole(file, json.dumps(whole, sort_keys=True, separators=(",", ":")))
        except OSError as error:
            raise InvalidInput(str(file), f"cannot be written: {error.strerror}") from error

    def holds(self, spec: RunSpec) -> bool:
        """Whether there is a row of the run, readable or not."""
        file = self._file(spec)
        return file is not None and file.exists()

    def count(self) -> int:
        """How many finished runs lie there, whoever asked for them."""
        return 0 if self.path is None else len(list((self.path / RUNS).glob("*.json")))

    def _file(self, spec: RunSpec) -> Path | None:
        return None if self.path is None else self.path / RUNS / f"{spec.key(self.code)}.json"


def _digest(told: Any) -> str:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
