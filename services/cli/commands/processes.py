"""`heliostat serve`, `agent` and `demo`: hand over to the long-running processes.

Each process keeps its own settings and its own life; these commands only pass on what was typed. A
process is imported when it is started, by the name in `ENTRY_POINTS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from heliostat.errors import InvalidInput
from services.cli.output import Output
from services.cli.wiring import wired

agent = typer.Typer(
    invoke_without_command=True, help="One region's agent; `pause` and `resume` are its own brake."
)

ENTRY_POINTS = {
    "serve": ("services.control_plane.main", "run"),
    "agent": ("services.agent.main", "run"),
    "brake": ("services.agent.main", "set_brake"),
    "demo": ("services.demo.main", "run"),
}
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", envvar="HELIOSTAT_SETTINGS", help="YAML file; the environment wins."
    ),
]
State = Annotated[
    Path | None, typer.Option("--state", help="The agent's directory: journal and table.")
]


@wired
def serve(settings: SettingsFile = None) -> None:
    """Run a control plane: gRPC, forecasts, plans, routes, /metrics, until SIGTERM or Ctrl-C.

    Settings come from the file and from HELIOSTAT_* variables (docs/settings).
    """
    _end(_entry("serve")(settings))


@agent.callback()
@wired
def run_agent(
    ctx: typer.Context,
    region: Annotated[str, typer.Option("--region", help="The region that it speaks for.")] = "",
    driver: Annotated[str, typer.Option("--driver", help="aws or simulated.")] = "",
    settings: SettingsFile = None,
) -> None:
    """Run one region's agent until SIGTERM or Ctrl-C; what is not given comes from the settings."""
    if ctx.invoked_subcommand is None:
        given = {"region": region, "driver": driver}
        _end(_entry("agent")(settings, **{name: value for name, value in given.items() if value}))


@agent.command()
@wired
def pause(out: Output, settings: SettingsFile = None, state: State = None) -> None:
    """Pull the agent's own brake: it carries nothing out, with or without a control plane."""
    _brake(out, settings, state, paused=True)


@agent.command()
@wired
def resume(out: Output, settings: SettingsFile = None, state: State = None) -> None:
    """Release the agent's own brake."""
    _brake(out, settings, state, paused=False)


@wired
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No page; ends with the day.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the run's figures there.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Demand from a real trace or series.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=24, help="Length of the day.")] = 24,
    speed: Annotated[
        float, typer.Option(min=0, help="At most so many domain minutes a second; 0 = no limit.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Chance of demand and clouds.")] = 1,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The page's port; 0 = any.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Another fleet than deploy/catalogue.yaml.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep databases and journals there.")] = None,
) -> None:
    """Live a day of three regions in minutes, on simulated clouds, with a page to look at."""
    settings_module = importlib.import_module("services.demo.settings")
    given: dict[str, Any] = {
        "headless": headless,
        "json": json_file,
        "trace": trace,
        "hours": hours,
        "speed": speed,
        "seed": seed,
        "port": port,
        "catalogue": catalogue,
        "keep": keep,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    _end(_entry("demo")(settings_module.DemoSettings(**chosen)))


def _brake(out: Output, settings: Path | None, state: Path | None, *, paused: bool) -> None:
    if settings is None and state is None:
        raise InvalidInput("--state", "say which agent: --state or --settings")
    _entry("brake")(settings, state, paused=paused)
    done = "paused" if paused else "resumed"
    if out.as_json:
        out.json({"paused": paused})
        return
    out.say(f"The agent is {done}.")


def _entry(name: str) -> Callable[..., Any]:
    module, function = ENTRY_POINTS[name]
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _end(code: int | None) -> None:
    if code:
        raise typer.Exit(code)
