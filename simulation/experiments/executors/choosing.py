"""The executors by name."""

from __future__ import annotations

from heliostat.errors import InvalidInput
from simulation.experiments.executors.port import Executor
from simulation.experiments.executors.processes import Processes
from simulation.experiments.executors.serial import Serial

EXECUTORS = ("serial", "processes", "ray")


def make_executor(name: str, workers: int) -> Executor:
    """The executor of that name. Raises InvalidInput, InvalidSettings when Ray is not installed."""
    if name == "serial":
        return Serial()
    if name == "processes":
        return Processes(workers)
    if name == "ray":
        # Ray is an optional extra: its module is looked at when it is asked for.
        from simulation.experiments.executors.on_ray import OnRay

        return OnRay(workers)
    raise InvalidInput(
        "executor", f"{name!r} is unknown", remedy=f"executors are {', '.join(EXECUTORS)}"
    )
