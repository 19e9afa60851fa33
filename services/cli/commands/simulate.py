"""`heliostat simulate`: live a scenario under several policies and compare them at equal SLO."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import Output

Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", help="Policies or YAML files, by commas; may repeat."),
]
Forecaster = Annotated[str, typer.Option(help="For all policies; each its own without it.")]
Headroom = Annotated[str, typer.Option(help="sweep, or the spare share that all keep (0.25).")]
Attainment = Annotated[
    float, typer.Option(help="Share of reachable requests that must keep their SLO.")
]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="So many, the same for every policy.")]
Cheapest = Annotated[str, typer.Option(help="Cheapest setting in: gpu-hours or dollars.")]
Engine = Annotated[str, typer.Option(help="How requests are served: fluid.")]
Bounds = Annotated[
    bool, typer.Option("--bounds/--no-bounds", help="Find what no policy can go below, too.")
]
Executor = Annotated[str, typer.Option(help="serial, processes, or ray (an optional extra).")]
Workers = Annotated[int, typer.Option(min=0, help="Runs at once; 0 = one per core.")]
Resume = Annotated[
    Path | None,
    typer.Option(help="Keep finished runs there, and go on from what is there."),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the findings as JSON; - = stdout.")
]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write the findings as a page.")]


def simulate(
    scenario: Annotated[str, typer.Option(help="A built-in scenario, or a file.")] = "day",
    policy: Policies = None,
    forecaster: Forecaster = "",
    headroom: Headroom = "sweep",
    attainment: Attainment = 0.99,
    seeds: Seeds = 3,
    cheapest: Cheapest = "gpu-hours",
    engine: Engine = "fluid",
    bounds: Bounds = True,
    executor: Executor = "processes",
    workers: Workers = 0,
    resume: Resume = None,
    json_file: JsonFile = None,
    html: HtmlFile = None,
) -> None:
    """Live a scenario under several policies, and compare them at equal SLO.

    Each policy's headroom is swept; it is shown at its cheapest setting that keeps what is asked.
    """
    from services.cli.comparing import Asked, compare
    from simulation.experiments.scenes import scene_ref

    asked = Asked(
        policies=policy or ["heliostat,reactive"],
        forecaster=forecaster,
        headroom=headroom,
        attainment=attainment,
        seeds=seeds,
        cheapest=cheapest,
        engine=engine,
        bounds=bounds,
        executor=executor,
        workers=workers or os.cpu_count() or 1,
        resume=resume,
        json_file=json_file,
        html=html,
    )
    compare(Output(), scene_ref(scenario), asked)
