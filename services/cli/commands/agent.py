"""`heliostat agent`: one region's agent, and its local brake."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.asking import given
from services.cli.figures import at
from services.cli.output import Output
from services.cli.wiring import wired

app = typer.Typer(
    invoke_without_command=True, short_help="Run one region's agent, or visit one that runs."
)

Region = Annotated[str, typer.Option("--region", help="The region it serves.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", envvar="HELIOSTAT_AGENT_SETTINGS", help="YAML file with settings."),
]
DataDir = Annotated[
    Path | None,
    # Whether it may be read the journal says, with a remedy.
    typer.Option(
        "--data-dir", readable=False, help="The agent's directory: journal and routing table."
    ),
]


@app.callback()
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
    """Run one region's agent until SIGTERM or Ctrl-C, or visit one that runs (commands below).

    Every setting is a key of the file and a HELIOSTAT_AGENT_… variable; options override both.
    """
    if ctx.invoked_subcommand is not None:
        if any(_typed(ctx, option) for option in ctx.params):
            raise typer.BadParameter(f"put options after `agent {ctx.invoked_subcommand}`")
        return
    from services.agent.main import run
    from services.agent.settings import load_agent_settings

    typed = given(
        region=region,
        driver=driver,
        control_planes=tuple(control_plane or ()),
        catalogue=catalogue,
        data_dir=data_dir,
    )
    run(load_agent_settings(settings, **typed))


def _typed(ctx: typer.Context, option: str) -> bool:
    """Whether the option was typed; environment variables also apply to subcommands."""
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
@wired
def pause(
    out: Output,
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Pause the agent locally: it carries out no commands, with or without a control plane."""
    from services.agent.main import pause as pull

    pull(_journal(settings, data_dir), author=_author())
    _say_brake(out, paused=True)


@app.command()
@wired
def resume(
    out: Output,
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Resume a locally paused agent."""
    from services.agent.main import resume as release

    release(_journal(settings, data_dir), author=_author())
    _say_brake(out, paused=False)


@app.command()
@wired
def status(
    out: Output,
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Show whether the agent is paused locally, by whom and since when."""
    from services.agent.main import status as brake_of

    brake = brake_of(_journal(settings, data_dir))
    if out.as_json:
        out.json(brake)
        return
    if not brake.paused:
        out.say("The agent's brake is off.")
        return
    out.say(f"The agent was paused by {brake.author} at {at(brake.at)}.")


@app.command()
@wired
def adopt(
    out: Output,
    vm: Annotated[list[str], typer.Argument(help="VMs that the agent reports as unknown.")],
    data_dir: DataDir = None,
    settings: SettingsFile = None,
) -> None:
    """Ask the agent to take unknown VMs into the pools that their tags name."""
    from services.agent.main import adopt as ask

    ask(_journal(settings, data_dir), vm, author=_author())
    if out.as_json:
        out.json({"asked_for": vm})
        return
    out.say(f"Requested adoption of {', '.join(vm)}; the agent acts at its next tick.")


def _journal(settings: Path | None, data_dir: Path | None) -> Path:
    """The agent's journal; needs no other setting."""
    from services.agent.settings import journal_of

    return journal_of(settings, **given(data_dir=data_dir))


def _author() -> str:
    """The local user's name, for the journal."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):
        return "local"


def _say_brake(out: Output, *, paused: bool) -> None:
    if out.as_json:
        out.json({"paused": paused})
        return
    out.say(
        "The agent will pause within a tick." if paused else "The agent will resume within a tick."
    )
