"""On which scenarios a page is run: the ones that it names, or smaller ones in their place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from heliostat.errors import InvalidInput
from simulation.experiments.scenes import scene_ref
from simulation.experiments.spec import SceneRef

FULL, SMALL = "full", "small"
_SCENARIOS = Path(__file__).parent / "scenarios"
_STANDS_IN = "small"


@dataclass(slots=True)
class Scale:
    """`full`: as the page says. `small`: the scenario `small` stands for every built-in one; the pages'
    own, a day each, stay. A path: that file stands for every scenario."""

    name: str = FULL
    _looked_at: dict[str, SceneRef] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in (FULL, SMALL) and not Path(self.name).is_file():
            raise InvalidInput("--scale", f"{self.name!r} is neither full, small nor a file")

    def scene(self, role: str) -> SceneRef:
        """Where the role is run. Raises what `scene_ref` raises."""
        if role not in self._looked_at:
            self._looked_at[role] = scene_ref(self._named(role))
        return self._looked_at[role]

    def _named(self, role: str) -> str:
        if self.name not in (FULL, SMALL):
            return self.name
        own = _SCENARIOS / f"{role}.yaml"
        if own.is_file():
            return str(own)
        return _STANDS_IN if self.name == SMALL else role
