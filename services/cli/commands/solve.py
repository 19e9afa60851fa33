"""`heliostat plan solve`: the solver on a given problem, with the optimality gap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heliostat.errors import InvalidInput
from services.cli.figures import NOTHING, count, dollars
from services.cli.output import Output, progress
from services.cli.wiring import wired


@wired
def solve(
    problem: Annotated[
        Path | None, typer.Option(help="A problem file (JSON, as --save writes).")
    ] = None,
    random: Annotated[
        str, typer.Option("--random", help="RxMxG: regions, models, VM types of a random problem.")
    ] = "",
    busy: Annotated[float, typer.Option(help="Mean busy replicas per region and model.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the problem.")] = 1,
    save: Annotated[
        Path | None, typer.Option(help="Write the random problem to this file.")
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=0, help="Branch-and-bound nodes after the dive; 0 = dive only.")
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result as JSON; - = stdout.")
    ] = None,
) -> None:
    """Solve a planning problem without a control plane and report the optimality gap.

    Reports status, objective and lp_bound (dollars per hour), gap, cpu_seconds, replicas.
    """
    from services.cli.solving import keep, made_up, problem_in, solved

    if (problem is None) == (not random):
        raise InvalidInput("plan solve", "needs either --problem or --random")
    with progress("solving"):
        chosen = problem_in(problem) if problem else made_up(random, busy=busy, seed=seed)
        if save is not None:
            keep(chosen, save)
        answer = solved(chosen, nodes=nodes)
    out, figures = Output(), answer.figures
    if json_file is not None:
        out.json_to(json_file, figures)
        if str(json_file) == "-":
            return
    gap = figures["gap"]
    out.facts(
        {
            "problem": answer.size,
            "status": figures["status"],
            "objective": f"{dollars(figures['objective'])} per hour",
            "LP bound": f"{dollars(figures['lp_bound'])} per hour",
            "gap": NOTHING if gap is None else f"{gap:.3%}",
            "CPU": f"{figures['cpu_seconds']:.2f} s",
            "replicas": count(sum(figures.get("replicas", {}).values())),
        }
    )
