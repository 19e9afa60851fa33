"""Finds the scenario behind a reference, and gives what it says a name by which runs are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

from heliostat.errors import InvalidInput
from simulation.arrivals import MinuteArrivals
from simulation.experiments.recorded import SUFFIX, read_recorded
from simulation.experiments.spec import SceneRef
from simulation.scenarios.builtin import built_in_names
from simulation.scenarios.finding import find_scenario, is_file
from simulation.scenarios.scenario import Scenario

_FIRST_SEED = 1


def scene_ref(named: str) -> SceneRef:
    """The reference behind a name or a path, looked at once.

    Raises UnknownScenario, InvalidScenario, InvalidCatalogue, InvalidTrace, InvalidInput, DataMissing.
    """
    built = named in built_in_names() or not is_file(Path(named))
    path = "" if built else str(Path(named).resolve())
    scenario = _find(named, path)
    return SceneRef(
        name=scenario.name, path=path, digest=f"{_file_digest(path)}-{_content_digest(scenario)}"
    )


@lru_cache(maxsize=2)
def load_scene(ref: SceneRef) -> Scenario:
    """The scenario, kept for the runs that follow. Raises InvalidInput when the file changed."""
    if ref.digest.partition("-")[0] != _file_digest(ref.path):
        raise InvalidInput(ref.path, "changed since the experiment began")
    return _find(ref.name, ref.path)


def _find(named: str, path: str) -> Scenario:
    if path.endswith(SUFFIX):
        return read_recorded(Path(path))
    return find_scenario(path or named)


def _file_digest(path: str) -> str:
    if not path:
        return "built in"
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _content_digest(scenario: Scenario) -> str:
    """Of the fleet, the troubles and a seed's demand: what a file may draw from other files too."""
    told = [
        json.dumps(scenario.fleet, sort_keys=True, default=str),
        repr((scenario.begins, scenario.ends, scenario.usable_share, scenario.retries)),
        repr((sorted(scenario.troubles.items()), sorted(scenario.warm_vms.items()))),
    ]
    digest = hashlib.sha256("\0".join(told).encode())
    arrivals = scenario.arrivals(_FIRST_SEED)
    for demand in arrivals.demands:
        digest.update(f"\0{demand}\0".encode())
        for column in fields(MinuteArrivals):
            digest.update(getattr(arrivals.by_demand[demand], column.name).tobytes())
    return digest.hexdigest()[:16]
