"""`heliostat serve`, `agent` and `demo`: hand over to the long-running processes.

Each process keeps its own settings and its own life; these commands pass on what was typed, which
goes before the environment and the settings file.
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.figures import at
from services.cli.output import Output
from services.cli.wiring import wired

if TYPE_CHECKING:
    from services.agent.settings import AgentSettings

agent = typer.Typer(
    invoke_without_command=True,
    help="One region's agent; `pause` and `resume` are its own brake.",
)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", envvar="HELIOSTAT_SETTINGS", help="YAML file with settings."),
]
Region = Annotated[str, typer.Option("--region", help="The region that it speaks for.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The agent's directory: journal and routing table."),
]


@wired
def serve(
    settings: SettingsFile = None,
    listen: Annotated[str, typer.Option(help="host:port for gRPC.")] = "",
    database: Annotated[
        str, typer.Option(help="sqlite:///file, postgresql+psycopg://…, or memory.")
    ] = "",
    catalogue: Annotated[Path | None, typer.Option(help="The fleet catalogue.")] = None,
) -> None:
    """Run a control plane: gRPC, forecasts, plans, routes, /metrics, until SIGTERM or Ctrl-C.

    Every setting is a key of the file and a HELIOSTAT_… variable; options here go before both.
    """
    from services.control_plane.bootstrap import serve as run
    from services.control_plane.settings import load_settings

    run(load_settings(settings, **_given(listen=listen, database=database, catalogue=catalogue)))


@agent.callback()
@wired
def run_agent(
    ctx: typer.Context,
    region: Region = "",
    driver: Annotated[str, typer.Option("--driver", help="aws or simulated.")] = "",
    control_plane: Annotated[
        list[str] | None, typer.Option(help="host:port of a control plane; may repeat.")
    ] = None,
    catalogue: Annotated[Path | None, typer.Option(help="The fleet catalogue.")] = None,
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Run one region's agent until SIGTERM or Ctrl-C.

    Every setting is a key of the file and a HELIOSTAT_AGENT_… variable; options go before both.
    """
    if ctx.invoked_subcommand is not None:
        return
    from services.agent.main import run

    run(
        _agent_settings(
            settings,
            region=region,
            driver=driver,
            control_planes=tuple(control_plane or ()),
            catalogue=catalogue,
            data_dir=data_dir,
        )
    )


@agent.command()
@wired
def pause(
    out: Output, region: Region = "", data_dir: DataDir = None, settings: SettingsFile = None
) -> None:
    """Pull the agent's own brake: it carries nothing out, with or without a control plane."""
    from services.agent.main import pause as pull

    pull(_agent_settings(settings, region=region, data_dir=data_dir), author=_author())
    _say_brake(out, paused=True)


@agent.command()
@wired
def resume(
    out: Output, region: Region = "", data_dir: DataDir = None, settings: SettingsFile = None
) -> None:
    """Release the agent's own brake."""
    from services.agent.main import resume as release

    release(_agent_settings(settings, region=region, data_dir=data_dir), author=_author())
    _say_brake(out, paused=False)


@agent.command()
@wired
def status(
    out: Output, region: Region = "", data_dir: DataDir = None, settings: SettingsFile = None
) -> None:
    """Whether the agent's own brake is pulled, by whom and since when."""
    from services.agent.main import status as brake_of

    brake = brake_of(_agent_settings(settings, region=region, data_dir=data_dir))
    if out.as_json:
        out.json(brake)
        return
    if not brake.paused:
        out.say("The agent's brake is released.")
        return
    out.say(f"The agent is paused by {brake.author} since {at(brake.at)}.")


@agent.command()
@wired
def adopt(
    out: Output,
    vm: Annotated[list[str], typer.Argument(help="VMs that the agent reports as unknown.")],
    region: Region = "",
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Ask the agent to take unknown VMs into the pools that their tags name."""
    from services.agent.main import adopt as ask

    ask(_agent_settings(settings, region=region, data_dir=data_dir), vm, author=_author())
    if out.as_json:
        out.json({"asked_for": vm})
        return
    out.say(f"Asked for {', '.join(vm)}; the agent looks at its next tick.")


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
        int | None, typer.Option(min=0, max=65535, help="The page's port; 0 = any free one.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Another fleet than deploy/catalogue.yaml.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep databases and journals there.")] = None,
) -> None:
    """Live a day of three regions in minutes, on simulated clouds, with a page to look at."""
    from services.demo.main import run
    from services.demo.settings import DemoSettings

    settings = DemoSettings(
        headless=headless,
        json=json_file,
        trace=trace,
        hours=hours,
        speed=speed,
        seed=seed,
        keep=keep,
        **_given(catalogue=catalogue, **({} if port is None else {"port": port})),
    )
    raise typer.Exit(run(settings))


def _agent_settings(path: Path | None, **options: Any) -> AgentSettings:
    from services.agent.settings import load_agent_settings

    return load_agent_settings(path, **_given(**options))


def _given(**options: Any) -> dict[str, Any]:
    """The options that somebody typed; the others come from the environment, the file or defaults."""
    return {name: value for name, value in options.items() if value not in (None, "", ())}


def _author() -> str:
    """Who sits at the keyboard, for the journal."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):
        return "local"


def _say_brake(out: Output, *, paused: bool) -> None:
    if out.as_json:
        out.json({"paused": paused})
        return
    out.say(
        "The agent is paused within a tick." if paused else "The agent works again within a tick."
    )
