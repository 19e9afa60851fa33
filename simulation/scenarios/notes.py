"""What a built trace carries of its scenario in its parquet metadata: a checked part of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from heliostat.errors import InvalidScenario
from simulation.scenarios.spec import RetriesPart
from simulation.scenarios.troubles_part import TroublesPart
from simulation.workload.formats import TraceFormat
from simulation.workload.readers.parquet import parquet_metadata
from simulation.workload.target import TargetSpec

SCENARIO_NOTE = "scenario"


class ScenarioNotes(BaseModel):
    """Everything of a scenario but its requests. `history` is the name of the file beside, or "".

    Files of before may lack what has a default here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    name: str
    description: str
    sized_for: str
    seed: int
    fleet: dict[str, Any]
    mix: dict[str, float]
    usable_share: float
    troubles: dict[str, TroublesPart]
    warm_vms: dict[str, int] = {}
    retries: RetriesPart
    said: list[str]
    history: str
    target: TargetSpec | None


def read_notes(path: Path) -> ScenarioNotes | None:
    """What the file carries; None when it is no built trace. Raises InvalidTrace, InvalidScenario."""
    text = parquet_metadata(path).get(SCENARIO_NOTE)
    if text is None:
        return None
    try:
        return ScenarioNotes.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidScenario(f"{path}: {SCENARIO_NOTE}.{place}", first["msg"]) from error


def read_target(path: Path, kind: TraceFormat) -> TargetSpec | None:
    """The target that a built trace carries; None of any other trace."""
    if kind is not TraceFormat.REQUESTS:
        return None
    notes = read_notes(path)
    return notes.target if notes else None
