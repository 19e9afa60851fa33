"""What a fresh worker does before its first run, so that compiling is done once and counted nowhere."""

from __future__ import annotations

from importlib import import_module

_HEAVY = ("forecasting.families", "planning.planner", "simulation.experiments.scenes")
"""What a run imports, and would otherwise be charged with."""


def warm_up() -> None:
    """Import what is heavy; compiled engines are put into the cache on disk."""
    for module in _HEAVY:
        import_module(module)
