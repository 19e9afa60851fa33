"""What a comparison may name: scenarios, policies, forecasters, routers."""

from __future__ import annotations

from services.cli.output import Output
from simulation.policies.forecasters import forecaster_names
from simulation.policies.registry import PLUGINS
from simulation.policies.routers import ROUTERS
from simulation.scenarios.builtin import built_in_descriptions


def show_shelves(out: Output) -> None:
    """Tables of those that need a sentence, lines of the rest."""
    scenarios = list(built_in_descriptions().items())
    out.table("Scenarios; a file is one too", ["name!", "what"], scenarios, empty="")
    out.table(
        "Policies; a policy file names one and changes it",
        ["name!", "what"],
        [(one.name, one.summary) for one in PLUGINS.values()],
        empty="",
    )
    out.say(f"Forecasters: {', '.join(forecaster_names())}.")
    out.say(f"Routers: {', '.join(ROUTERS)}.")
