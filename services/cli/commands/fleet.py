"""`heliostat fleet`: what stands where, and orders by hand that the planner keeps to."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from heliostat.model.command import CommandState
from services.cli.asking import MOST_REPLICAS, DryRun, Etag, Limit, Reason, Regions, replicas
from services.cli.client import Client
from services.cli.figures import at, count, percent
from services.cli.orders import show_commands, show_order
from services.cli.output import Output
from services.cli.times import LENGTH_HELP, parse_length, present
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.fleet import PoolState

app = typer.Typer(no_args_is_help=True, help="Pools, orders by hand, commands.")

Until = Annotated[
    str, typer.Option("--for", help=f"How long the planner keeps to it: {LENGTH_HELP}.")
]
RequestId = Annotated[
    str, typer.Option(help="Repeat with the same id and nothing is ordered twice; made up without.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the command has ended.")]


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    region: Regions = None,
    every: Annotated[bool, typer.Option("--all", help="Also pools without a replica.")] = False,
) -> None:
    """Pools as last observed; – = not measured."""
    from heliostat.v1 import fleet_pb2
    from services.translation.fleet import etags_from_wire, fleet_from_wire

    answer = client.call(client.fleet.GetFleet, fleet_pb2.GetFleetRequest(regions=region or []))
    fleet, etags = fleet_from_wire(answer), etags_from_wire(answer)
    if out.as_json:
        out.json({"fleet": fleet, "etags": {str(pool): etag for pool, etag in etags.items()}})
        return
    shown = [state for state in fleet.pools if every or _stands(state)]
    out.table(
        f"Fleet at {at(fleet.at)}",
        ["pool", "want>", "ready>", "coming>", "drain>", "fail>", "used>", "signal"],
        [_row(state) for state in shown],
        empty="No pool holds a replica (--all shows all pools).",
    )
    if fleet.denials:
        out.table(
            "Clouds that refused",
            ["region", "VM type", "until", "at most>", "because"],
            [
                [one.region, one.vm_type, at(one.until), str(one.most_replicas), one.reason]
                for one in fleet.denials
            ],
            empty="",
        )
    for paused in sorted(fleet.paused_agents):
        out.say(f"The agent of {paused} is paused: its region carries nothing out.")


@app.command()
@wired
def scale(
    client: Client,
    out: Output,
    pool: Annotated[str, typer.Argument(help="region/model/vm_type")],
    target: Annotated[int, typer.Argument(min=0, max=MOST_REPLICAS, help="Replicas to have.")],
    reason: Reason,
    keep: Until = "4h",
    request_id: RequestId = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Order an absolute number of replicas. In active mode the planner keeps to it until it expires."""
    from heliostat.model.names import PoolKey
    from heliostat.v1 import fleet_pb2
    from services.translation.fields import instant_to_wire
    from services.translation.names import pool_to_wire

    request = fleet_pb2.ScalePoolRequest(
        pool=pool_to_wire(PoolKey.parse(pool)),
        target_replicas=target,
        reason=reason,
        request_id=request_id or str(uuid.uuid4()),
        etag=etag,
        validate_only=dry_run,
        expires_at=instant_to_wire(present() + parse_length("--for", keep)),
    )
    answer = client.call(client.fleet.ScalePool, request)
    show_order(client, out, answer.command, answer.overrides, dry_run=dry_run, wait=wait)


@app.command()
@wired
def redeploy(
    client: Client,
    out: Output,
    source: Annotated[
        str, typer.Argument(help="Pool that gives: region/model/vm_type=replicas left.")
    ],
    destination: Annotated[str, typer.Argument(help="Pool that gets: …=replicas in the end.")],
    reason: Reason,
    keep: Until = "4h",
    request_id: RequestId = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Change the model on VMs that stand already; both counts are absolute."""
    from heliostat.model.command import RedeployOrder
    from heliostat.model.names import PoolKey
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import redeploy_to_wire
    from services.translation.fields import instant_to_wire

    gives, left = replicas("source", source)
    gets, wanted = replicas("destination", destination)
    order = RedeployOrder(
        source=PoolKey.parse(gives),
        source_target=left,
        destination=PoolKey.parse(gets),
        destination_target=wanted,
    )
    request = fleet_pb2.RedeployPoolRequest(
        order=redeploy_to_wire(order),
        reason=reason,
        request_id=request_id or str(uuid.uuid4()),
        etag=etag,
        validate_only=dry_run,
        expires_at=instant_to_wire(present() + parse_length("--for", keep)),
    )
    answer = client.call(client.fleet.RedeployPool, request)
    show_order(client, out, answer.command, answer.overrides, dry_run=dry_run, wait=wait)


@app.command()
@wired
def overrides(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Option(help="Region; all without it.")] = "",
    limit: Limit = 200,
) -> None:
    """Targets set by hand that the planner keeps to."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import override_from_wire

    request = fleet_pb2.ListOverridesRequest(region=region)
    answers = client.rows(client.fleet.ListOverrides, request, of="overrides", limit=limit)
    found = [override_from_wire("override", one) for one in answers]
    if out.as_json:
        out.json({"overrides": found})
        return
    out.table(
        "",
        ["pool", "target>", "until!", "by: reason", "id"],
        [
            [
                str(one.pool),
                str(one.target_replicas),
                at(one.expires_at),
                f"{one.author}: {one.reason}",
                one.override_id,
            ]
            for one in found
        ],
        empty="No override is in force: the planner decides alone.",
    )


@app.command()
@wired
def commands(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Option(help="Region; all without it.")] = "",
    state: Annotated[list[CommandState] | None, typer.Option(help="State; may repeat.")] = None,
    limit: Limit = 100,
) -> None:
    """Commands, oldest first, with how they went."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import command_from_wire
    from services.translation.enums import COMMAND_STATE

    request = fleet_pb2.ListCommandsRequest(
        region=region, states=[COMMAND_STATE.to_wire(one) for one in state or ()]
    )
    answers = client.rows(client.fleet.ListCommands, request, of="commands", limit=limit)
    found = [command_from_wire("command", one) for one in answers]
    if out.as_json:
        out.json({"commands": found})
        return
    show_commands(out, found, empty="No command matches.")


@app.command()
@wired
def cancel(
    client: Client,
    out: Output,
    name: Annotated[str, typer.Argument(help="A command's id, or with --override an override's.")],
    override: Annotated[bool, typer.Option("--override", help="End an override instead.")] = False,
    etag: Etag = "",
) -> None:
    """End a command (its agent lets go at the next safe point), or an override."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import command_from_wire, override_from_wire
    from storage.numbering import command_id

    if override:
        ended = client.call(
            client.fleet.CancelOverride, fleet_pb2.CancelOverrideRequest(override_id=name)
        )
        found = override_from_wire("override", ended.override)
        if out.as_json:
            out.json({"override": found})
            return
        out.say(
            f"Override {found.override_id} of {found.pool} has ended; the planner decides again."
        )
        return
    full = (
        command_id(int(name)) if name.isdecimal() and len(name) <= 12 else name
    )  # tables leave leading zeros out
    request = fleet_pb2.CancelCommandRequest(command_id=full, etag=etag)
    answer = client.call(client.fleet.CancelCommand, request)
    command = command_from_wire("command", answer.command)
    if out.as_json:
        out.json({"command": command})
        return
    show_commands(out, [command], empty="")


def _stands(state: PoolState) -> bool:
    seen = state.observation
    return bool(seen.desired or seen.standing or seen.draining or seen.failed)


def _row(state: PoolState) -> list[str]:
    seen = state.observation
    return [
        str(seen.pool),
        count(seen.desired),
        count(seen.ready),
        count(seen.coming),
        count(seen.draining),
        count(seen.failed),
        percent(seen.utilisation),
        state.signal,
    ]
