"""`heliostat serve` and `demo`: start the long-running processes.

Each process has its own settings; these commands pass on the options given, which override the
environment and the settings file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.asking import given
from services.cli.output import stderr
from services.cli.wiring import wired


@wired
def serve(
    settings: Annotated[
        Path | None,
        typer.Option("--settings", envvar="HELIOSTAT_SETTINGS", help="YAML file with settings."),
    ] = None,
    listen: Annotated[str, typer.Option(help="host:port for gRPC.")] = "",
    database: Annotated[
        str, typer.Option(help="sqlite:///file, postgresql+psycopg://…, or memory.")
    ] = "",
    catalogue: Annotated[Path | None, typer.Option(help="The fleet catalogue.")] = None,
    policy: Annotated[
        str, typer.Option(help="How it plans: heliostat-careful (the default) or heliostat.")
    ] = "",
) -> None:
    """Run a control plane: gRPC, forecasts, plans, routes, /metrics, until SIGTERM or Ctrl-C.

    Every setting is a key of the file and a HELIOSTAT_… variable; options override both.
    """
    from services.control_plane.bootstrap import file_to_make
    from services.control_plane.bootstrap import serve as run
    from services.control_plane.settings import load_settings

    typed = given(listen=listen, database=database, catalogue=catalogue, policy=policy)
    loaded = load_settings(settings, **typed)
    file = file_to_make(loaded)
    if file is not None and stderr().is_terminal:  # elsewhere stderr holds JSON lines alone
        stderr().print(
            f"heliostat: {file} does not exist; starting with a new, empty database", markup=False
        )
    run(loaded)


@wired
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No page; exit at the end of the day.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results as JSON; - = stdout.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Demand from a real trace or series.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=24, help="Length of the day.")] = 24,
    speed: Annotated[
        float, typer.Option(min=0, help="Maximum simulated minutes per second; 0 = no limit.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 1,
    policy: Annotated[
        str,
        typer.Option(help="How the control plane plans: heliostat-careful or heliostat."),
    ] = "heliostat-careful",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The page's port (default: 8321); 0 = any free one."),
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Fleet catalogue (default: deploy/catalogue.yaml).")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep databases and journals in this folder.")
    ] = None,
) -> None:
    """Simulate a day in three regions in minutes, on simulated clouds, with a web page."""
    from services.demo.main import run
    from services.demo.settings import DemoSettings

    settings = DemoSettings(
        headless=headless,
        json=json_file,
        trace=trace,
        hours=hours,
        speed=speed,
        seed=seed,
        policy=policy,
        keep=keep,
        **given(catalogue=catalogue, **({} if port is None else {"port": port})),
    )
    raise typer.Exit(run(settings))
