"""The options of a comparison of policies, shared by the commands that make one."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from services.cli.wiring import wired


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options given, except the scenario."""

    policies: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            help="Names or YAML files, comma-separated; may repeat. Default: heliostat,reactive.",
        ),
    ] = None
    forecaster: Annotated[
        str, typer.Option("--forecaster", help="For all policies; default: each policy's own.")
    ] = ""
    headroom: Annotated[
        str, typer.Option("--headroom", help="sweep, or one spare share for all policies (0.25).")
    ] = "sweep"
    attainment: Annotated[
        float,
        typer.Option("--attainment", help="Share of reachable requests that must keep their SLO."),
    ] = 0.99
    seeds: Annotated[
        int,
        typer.Option("--seeds", min=1, max=1000, help="Number of seeds."),
    ] = 3
    cheapest: Annotated[
        str, typer.Option("--cheapest", help="What to minimise: gpu-hours or dollars.")
    ] = "gpu-hours"
    engine: Annotated[
        str,
        typer.Option("--engine", help="Simulate single requests (event) or rates (fluid)."),
    ] = "event"
    bounds: Annotated[
        bool,
        typer.Option("--bounds/--no-bounds", help="Also compute lower bounds for any policy."),
    ] = True
    executor: Annotated[
        str, typer.Option("--executor", help="serial, processes, or ray (an optional extra).")
    ] = "processes"
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Runs at once; 0 = one per core.")
    ] = 0
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Keep finished runs in this folder and reuse those in it."),
    ] = None
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results as JSON; - = stdout.")
    ] = None
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the results as a web page.")
    ] = None

    @property
    def runs_at_once(self) -> int:
        """How many workers there are."""
        return self.workers or os.cpu_count() or 1


def comparing(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `asked` is filled from these options, behind its own."""
    own = get_type_hints(command, include_extras=True)
    parameters = [
        parameter.replace(annotation=own[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "asked"
    ]
    shared = get_type_hints(Asked, include_extras=True)
    for field in fields(Asked):
        assert field.default is not MISSING, "every option has a default"
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=shared[field.name],
            )
        )

    @functools.wraps(command)
    def run(**given: Any) -> None:
        asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
        command(asked=asked, **given)

    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wired(run)
