"""Finds the scenario behind a reference: built in by name, or a recorded history in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from heliostat.errors import InvalidInput, NotFound
from simulation.experiments.recorded import digest_of, read_recorded
from simulation.experiments.scene import Scene
from simulation.experiments.spec import SceneRef
from simulation.workload.synthesis import synthesise
from storage.catalogue_file import read_catalogue

EXAMPLE_CATALOGUE = Path(__file__).parents[2] / "deploy" / "catalogue.yaml"
HISTORY_DAYS = 14
_DAY_BEGINS = datetime(2026, 3, 3, tzinfo=UTC)


class UnknownScenario(NotFound):
    """No scenario has this name, and no file lies there."""

    kind = "scenario"


def scene_ref(named: str) -> SceneRef:
    """The reference behind a name or a path. Raises UnknownScenario, InvalidInput."""
    if named in _BUILT_IN:
        return SceneRef(name=named, digest=digest_of(EXAMPLE_CATALOGUE))
    path = Path(named)
    if not path.is_file():
        raise UnknownScenario(named, remedy=f"built in are {', '.join(known_scenes())}")
    return SceneRef(name=path.stem, path=str(path.resolve()), digest=digest_of(path))


def known_scenes() -> tuple[str, ...]:
    """The built-in scenarios."""
    return tuple(sorted(_BUILT_IN))


@lru_cache(maxsize=2)
def load_scene(ref: SceneRef) -> Scene:
    """The scenario, kept for the runs that follow. Raises InvalidInput when the file changed."""
    if not ref.path:
        return _BUILT_IN[ref.name](ref.name)
    path = Path(ref.path)
    if digest_of(path) != ref.digest:
        raise InvalidInput(str(path), "changed since the experiment began")
    return read_recorded(path, ref.name)


def _example(
    name: str, *, begins: datetime = _DAY_BEGINS, hours: int = 24, busy: float = 24.0
) -> Scene:
    catalogue = read_catalogue(EXAMPLE_CATALOGUE)
    day = begins.replace(hour=0)

    @lru_cache(maxsize=1)
    def arrivals(seed: int) -> object:
        return synthesise(
            catalogue,
            start=day - timedelta(days=HISTORY_DAYS),
            days=HISTORY_DAYS + 1,
            busy_replicas=busy,
            seed=seed,
        )

    return Scene(
        name=name,
        catalogue=catalogue,
        begins=begins,
        ends=begins + timedelta(hours=hours),
        arrivals=arrivals,  # type: ignore[arg-type]
        said=(
            f"Demand is synthesised from published shapes, {busy:g} busy replicas a model at its "
            f"busiest, after {HISTORY_DAYS} days of history.",
        ),
    )


_BUILT_IN: Mapping[str, Callable[[str], Scene]] = {
    "day": _example,
    "small": lambda name: _example(name, busy=2.5),
    "morning": lambda name: _example(name, begins=_DAY_BEGINS + timedelta(hours=8), hours=4),
}
