"""`heliostat simulate`: run several policies on a scenario and compare them at equal SLO."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.asked import Asked, comparing
from services.cli.output import Output


@comparing
def simulate(
    asked: Asked,
    scenario: Annotated[str, typer.Option(help="A built-in scenario, or a file.")] = "day",
    names: Annotated[
        bool,
        typer.Option("--list", help="List scenarios, policies, forecasters; or describe --policy."),
    ] = False,
) -> None:
    """Simulate a scenario under several policies and compare them at equal SLO.

    Each policy's headroom is swept; it is shown at its cheapest setting that reaches --attainment.
    """
    if names:
        from services.cli.shelves import show_shelves

        show_shelves(Output(), asked.policies or ())
        return
    from services.cli.comparing import compare
    from simulation.experiments.scenes import scene_ref

    compare(Output(), scene_ref(scenario), asked)
