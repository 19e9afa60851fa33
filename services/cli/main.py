"""`heliostat`: the commands, put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from services.cli import exits
from services.cli.commands import (
    agent,
    audit,
    backtest,
    certs,
    db,
    dispatch,
    fleet,
    forecast,
    mode,
    plan,
    processes,
    profile,
    route,
    simulate,
    trace,
    usage,
)
from services.cli.wiring import HeliostatGroup

app = typer.Typer(
    name="heliostat",
    cls=HeliostatGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=exits.epilogue(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
OPERATE, DECIDE, RUN, TOOLS = "Operate", "Decide", "Run", "Tools"
app.command(rich_help_panel=RUN)(processes.demo)
app.command(rich_help_panel=RUN)(processes.serve)
app.add_typer(agent.app, name="agent", rich_help_panel=RUN)
app.add_typer(db.app, name="db", rich_help_panel=RUN)
app.add_typer(fleet.app, name="fleet", rich_help_panel=OPERATE)
app.add_typer(mode.app, name="mode", rich_help_panel=OPERATE)
app.add_typer(route.app, name="route", rich_help_panel=OPERATE)
app.add_typer(usage.app, name="usage", rich_help_panel=OPERATE)
app.add_typer(dispatch.app, name="dispatch", rich_help_panel=OPERATE)
app.add_typer(audit.app, name="audit", rich_help_panel=OPERATE)
app.add_typer(forecast.app, name="forecast", rich_help_panel=DECIDE)
app.add_typer(plan.app, name="plan", rich_help_panel=DECIDE)
app.command(rich_help_panel=DECIDE)(simulate.simulate)
app.command(rich_help_panel=DECIDE)(backtest.backtest)
app.add_typer(trace.app, name="trace", rich_help_panel=TOOLS)
app.add_typer(profile.app, name="profile", rich_help_panel=TOOLS)
app.add_typer(certs.app, name="certs", rich_help_panel=TOOLS)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"heliostat {version('heliostat')}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Multi-region capacity control plane for LLM serving: forecasts, plans, commands, routes.

    Client commands talk to the control plane at --address or HELIOSTAT_ADDRESS.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the process' exit code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="heliostat")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exits.UNEXPECTED
    return exits.OK
