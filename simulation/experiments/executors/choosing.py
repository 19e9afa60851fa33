"""The executors by name."""

from __future__ import annotations

from heliostat.errors import InvalidInput
from simulation.experiments.executors.port import Executor
from simulation.experiments.executors.processes import Processes
from simulation.experiments.executors.serial import Serial
from simulation.experiments.spec import FLUID

EXECUTORS = ("serial", "processes", "ray")


def make_executor(name: str, workers: int, engine: str = FLUID) -> Executor:
    """The executor of that name, ready for runs on that engine.

    Raises InvalidInput, InvalidSettings when Ray is not installed.
    """
    if name == "serial":
        return Serial()
    if name == "processes":
        return Processes(workers, engine)
    if name == "ray":
        # Ray is an optional extra: its module is looked at when it is asked for.
        from simulation.experiments.executors.on_ray import OnRay

        return OnRay(workers)
    raise InvalidInput(
        "executor", f"{name!r} is unknown", remedy=f"executors are {', '.join(EXECUTORS)}"
    )
