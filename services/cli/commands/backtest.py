"""`heliostat backtest`: policies compared on the history of a control plane's database."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from services.cli.asked import Asked, comparing
from services.cli.asking import DEFAULT_CATALOGUE, DEFAULT_DATABASE, Catalogue, Database
from services.cli.output import Output, progress
from services.cli.times import INSTANT_HELP, LENGTH_HELP, parse_instant, parse_length, present


@comparing
def backtest(
    asked: Asked,
    start: Annotated[str, typer.Option("--from", help=f"First instant: {INSTANT_HELP}.")],
    end: Annotated[str, typer.Option("--to", help="Last instant.")],
    database: Database = DEFAULT_DATABASE,
    catalogue: Catalogue = DEFAULT_CATALOGUE,
    memory: Annotated[
        str, typer.Option(help=f"History known at the start: {LENGTH_HELP}.")
    ] = "14d",
) -> None:
    """Replay your own history under several policies and compare them at equal SLO.

    The database is read, not changed. Seeds differ only in simulated cloud behaviour.
    """
    from heliostat.errors import InvalidInput
    from heliostat.model.instants import Span
    from services.cli.backtest_history import record
    from services.cli.comparing import compare
    from services.cli.figures import at
    from simulation.experiments.scenes import scene_ref

    now = present()
    first, last = parse_instant("--from", start, now), parse_instant("--to", end, now)
    if last <= first:
        raise InvalidInput("--to", f"{at(last)} is not after {at(first)}, the instant of --from")
    span = Span(first, last)
    out = Output()
    with TemporaryDirectory(prefix="heliostat-backtest-") as aside:
        folder = asked.resume or Path(aside)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                "--resume", f"{folder} cannot be created: {error.strerror}"
            ) from error
        with progress("reading the history"):
            kept = record(database, catalogue, span, parse_length("--memory", memory), folder)
        compare(out, scene_ref(str(kept)), asked)
