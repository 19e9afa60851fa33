"""Finds the scenario behind a name or a path."""

from __future__ import annotations

import os
from pathlib import Path

from heliostat.errors import UnknownScenario
from simulation.scenarios.builtin import built_in, built_in_names
from simulation.scenarios.from_built import built_scenario
from simulation.scenarios.from_spec import scenario_in
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.tenants import DATA_VARIABLE
from simulation.workload.load import OnRows

SPEC_SUFFIXES, BUILT_SUFFIX = (".yaml", ".yml"), ".parquet"


def is_file(path: Path) -> bool:
    """Whether a file lies there; False also of a name that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def _what_would_be(path: Path) -> str:
    """What to do about a name that is no scenario."""
    if is_file(path):
        return (
            f"a trace becomes a scenario in a file ({SPEC_SUFFIXES[0]}) with "
            f"`demand: {{kind: requests, path: {path.name}}}` (docs/scenarios.md)"
        )
    if path.suffix in (*SPEC_SUFFIXES, BUILT_SUFFIX):
        return f"there is no such file in {path.parent}"
    return (
        f"built in are {', '.join(built_in_names())}; a file is a scenario file "
        f"({SPEC_SUFFIXES[0]}) or a built trace ({BUILT_SUFFIX})"
    )


def find_scenario(named: str, on_rows: OnRows | None = None) -> Scenario:
    """A built-in scenario by name, a scenario file (.yaml), or a built trace (.parquet).

    Public data is looked for in the folder that HELIOSTAT_DATA names. Raises UnknownScenario,
    DataMissing, InvalidScenario, InvalidCatalogue, InvalidTrace.
    """
    path = Path(named)
    if named not in built_in_names() and is_file(path):
        if path.suffix in SPEC_SUFFIXES:
            return scenario_in(path, on_rows)
        if path.suffix == BUILT_SUFFIX:
            return built_scenario(path, on_rows)
    if named not in built_in_names():
        raise UnknownScenario(named, remedy=_what_would_be(path))
    folder = os.environ.get(DATA_VARIABLE, "")
    return built_in(named, data=Path(folder) if folder else None)
