"""`heliostat mode`: whether the control plane may change capacity, globally and per region."""

from __future__ import annotations

from typing import Annotated

import typer

from heliostat.model.governance import Mode
from heliostat.model.names import EVERYWHERE
from services.cli.asking import DryRun, Etag, Reason
from services.cli.client import Client
from services.cli.figures import at
from services.cli.output import Output
from services.cli.wiring import wired

app = typer.Typer(no_args_is_help=True, help="Advisory, active or paused.")


@app.command()
@wired
def get(client: Client, out: Output) -> None:
    """Show settings and the resulting mode of every region."""
    from heliostat.v1 import plan_pb2
    from services.translation.enums import MODE
    from services.translation.modes import modes_from_wire

    answer = client.call(client.plans.GetMode, plan_pb2.GetModeRequest())
    settings = modes_from_wire(answer).settings
    etags = {one.region: one.etag for one in answer.settings}
    effective = {one.region: MODE.from_wire("mode", one.mode) for one in answer.effective}
    if out.as_json:
        out.json({"effective": effective, "settings": settings, "etags": etags})
        return
    out.table("", ["region", "mode"], [[*row] for row in effective.items()], empty="No regions.")
    out.table(
        "Settings",
        ["region", "mode", "by", "at!", "reason", "etag"],
        [
            [_place(one.region), one.mode, one.author, at(one.at), one.reason, etags[one.region]]
            for one in settings
        ],
        empty="No mode has been set: advisory everywhere. Plans are not ordered; manual orders are.",
    )


@app.command("set")
@wired
def set_(
    client: Client,
    out: Output,
    mode: Annotated[Mode, typer.Argument(help="Permissions of the control plane.")],
    reason: Reason,
    region: Annotated[str, typer.Option(help="Region; * = everywhere.")] = EVERYWHERE,
    etag: Etag = "",
    dry_run: DryRun = False,
) -> None:
    """Set the global or a region's mode; the stricter of the global and the regional mode applies."""
    from heliostat.v1 import plan_pb2
    from services.translation.enums import MODE
    from services.translation.modes import setting_from_wire

    request = plan_pb2.SetModeRequest(
        region=region, mode=MODE.to_wire(mode), reason=reason, etag=etag, validate_only=dry_run
    )
    answer = client.call(client.plans.SetMode, request)
    setting = setting_from_wire("setting", answer.setting)
    if out.as_json:
        out.json({"setting": setting, "etag": answer.setting.etag, "dry_run": dry_run})
        return
    would = "would be" if dry_run else "is"
    out.say(
        f"{_place(setting.region)} {would} {setting.mode}: {setting.reason} ({setting.author})."
    )


def _place(region: str) -> str:
    return "everywhere" if region == EVERYWHERE else region
