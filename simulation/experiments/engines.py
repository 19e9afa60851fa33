"""The engines that runs may be served by, made for a scenario and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heliostat.errors import InvalidSettings
from simulation.bootstrap import EngineMaker, Workplace, fluid_engine
from simulation.clients import Clients
from simulation.engine import EngineModel
from simulation.experiments.recast_source import RecastSource
from simulation.experiments.spec import FLUID
from simulation.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from simulation.event.engine import EventEngine


def engine_maker(name: str, scene: Scenario, seed: int) -> EngineMaker:
    """What makes the engine of a run. Raises InvalidSettings where it is not installed."""
    if name == FLUID:
        return fluid_engine
    clients = Clients(retries=scene.retries)
    event_engine = _event_engine()

    def make(workplace: Workplace) -> EngineModel:
        source, recast = scene.source(seed), workplace.policy.recast
        return event_engine(
            workplace.catalogue,
            source if recast is None else RecastSource(source, recast),
            workplace.policy.local,
            seed,
            clients=clients,
        )

    return make


def check_engine(name: str, scene: Scenario) -> None:
    """Raises InvalidSettings where the engine is not installed."""
    engine_maker(name, scene, 0)


def engine_said(name: str, scene: Scenario) -> tuple[str, ...]:
    """What the engine leaves out of the scenario, in sentences."""
    if name == FLUID and scene.retries.somebody_returns:
        return ("The fluid engine knows no retries: who is turned away does not come back.",)
    return ()


def _event_engine() -> type[EventEngine]:
    """The class, imported when it is asked for: it is compiled, which the fluid engine can do without."""
    try:
        from simulation.event.engine import EventEngine
    except ImportError as error:
        raise InvalidSettings(
            "--engine",
            f"the event engine needs {error.name}, which is not installed",
            remedy="pip install 'heliostat[sim]', or --engine fluid",
        ) from error
    return EventEngine
