"""The engines that runs may be served by, made for a scenario and a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heliostat.errors import InvalidSettings
from simulation.bootstrap import EngineMaker, Workplace, fluid_engine
from simulation.clients import Clients
from simulation.engine import EngineModel
from simulation.experiments.recast_source import RecastSource
from simulation.experiments.spec import FLUID, PolicySpec
from simulation.experiments.words import HABITS
from simulation.policies.registry import plugin_named
from simulation.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from simulation.event.engine import EventEngine


_INSIDE = (*HABITS, "batch_size")
"""What a policy file may ask of replicas, which the fluid engine has none of."""


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


def engine_said(name: str, scene: Scenario, policies: Sequence[PolicySpec]) -> tuple[str, ...]:
    """What the engine leaves out of the scenario and of its policies, in sentences."""
    if name != FLUID:
        return ()
    said = []
    if scene.retries.somebody_returns:
        said.append("The fluid engine has no retries: rejected requests do not return.")
    for one in policies:
        without = plugin_named(one.policy).fluid
        if without:
            said.append(f"The fluid engine does not show, for {one.name}: {without}.")
        if asked := [word for word in _INSIDE if getattr(one, word)]:
            said.append(
                f"The fluid engine ignores these settings of {one.name}: {', '.join(asked)}."
            )
    return tuple(said)


def _event_engine() -> type[EventEngine]:
    """The class, imported when it is asked for: it is compiled, which the fluid engine can do without."""
    try:
        from simulation.event.engine import EventEngine
    except ImportError as error:
        raise InvalidSettings(
            "--engine",
            f"the event engine needs {error.name}, which is not installed",
            remedy="install it with make setup, or use --engine fluid",
        ) from error
    return EventEngine
