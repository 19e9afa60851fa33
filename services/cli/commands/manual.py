"""Manual fleet orders: scale, redeploy, and cancelling an order or an override."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from services.cli.asking import MOST_REPLICAS, DryRun, Etag, Reason, replicas
from services.cli.client import LARGEST_PAGE, Client
from services.cli.orders import show_commands, show_order
from services.cli.output import Output
from services.cli.times import LENGTH_HELP, parse_length, present
from services.cli.wiring import wired

Until = Annotated[
    str, typer.Option("--for", help=f"How long the planner follows it: {LENGTH_HELP}.")
]
RequestId = Annotated[
    str, typer.Option(help="Repeating with the same id orders nothing twice; generated if omitted.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the command has ended.")]


def _a_target(target: int) -> int:
    """Usage error if no pool can have so many replicas."""
    if not 0 <= target <= MOST_REPLICAS:
        raise typer.BadParameter(f"{target} is not a number of replicas that a pool can have")
    return target


@wired
def scale(
    client: Client,
    out: Output,
    pool: Annotated[str, typer.Argument(help="region/model/vm_type")],
    target: Annotated[int, typer.Argument(callback=_a_target, help="Target number of replicas.")],
    reason: Reason,
    keep: Until = "4h",
    request_id: RequestId = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Order an absolute number of replicas. In active mode the planner follows it until it expires."""
    from heliostat.model.names import PoolKey
    from heliostat.v1 import fleet_pb2
    from services.translation.names import pool_to_wire

    request = fleet_pb2.ScalePoolRequest(
        pool=pool_to_wire(PoolKey.parse(pool)),
        target_replicas=target,
        **_conditions(reason, keep, request_id, etag, dry_run),
    )
    answer = client.call(client.fleet.ScalePool, request)
    show_order(client, out, answer.command, answer.overrides, dry_run=dry_run, wait=wait)


@wired
def redeploy(
    client: Client,
    out: Output,
    source: Annotated[
        str, typer.Argument(help="Source pool: region/model/vm_type=remaining replicas.")
    ],
    destination: Annotated[str, typer.Argument(help="Destination pool: …=resulting replicas.")],
    reason: Reason,
    keep: Until = "4h",
    request_id: RequestId = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
) -> None:
    """Change the model on existing VMs; both counts are absolute."""
    from heliostat.model.command import RedeployOrder
    from heliostat.model.names import PoolKey
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import redeploy_to_wire

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
        **_conditions(reason, keep, request_id, etag, dry_run),
    )
    answer = client.call(client.fleet.RedeployPool, request)
    show_order(client, out, answer.command, answer.overrides, dry_run=dry_run, wait=wait)


@wired
def cancel(
    client: Client,
    out: Output,
    name: Annotated[
        str, typer.Argument(help="A command's id; with --override a pool, or an override's id.")
    ],
    override: Annotated[bool, typer.Option("--override", help="End an override instead.")] = False,
    etag: Etag = "",
) -> None:
    """End a command (its agent stops at the next safe point), or an override."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import command_from_wire, override_from_wire

    if override:
        ended = client.call(
            client.fleet.CancelOverride,
            fleet_pb2.CancelOverrideRequest(override_id=_override_id(client, name)),
        )
        found = override_from_wire("override", ended.override)
        if out.as_json:
            out.json({"override": found})
            return
        out.say(
            f"Override {found.override_id} of {found.pool} has ended; the planner decides again."
        )
        return
    request = fleet_pb2.CancelCommandRequest(command_id=_whole_id(name), etag=etag)
    answer = client.call(client.fleet.CancelCommand, request)
    command = command_from_wire("command", answer.command)
    if out.as_json:
        out.json({"command": command})
        return
    show_commands(out, [command], empty="")


def _conditions(
    reason: str, keep: str, request_id: str, etag: str, dry_run: bool
) -> dict[str, Any]:
    """The fields shared by all manual orders."""
    from services.translation.fields import instant_to_wire

    return {
        "reason": reason,
        "request_id": request_id or str(uuid.uuid4()),
        "etag": etag,
        "validate_only": dry_run,
        "expires_at": instant_to_wire(present() + parse_length("--for", keep)),
    }


def _override_id(client: Client, name: str) -> str:
    """The id of the newest override in force of the pool that is named; an id is itself.

    Raises InvalidInput on what is neither, UnknownOverride when the pool has none.
    """
    from heliostat.errors import UnknownOverride
    from heliostat.model.names import PoolKey
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import override_from_wire

    if ":" in name or "/" not in name:
        return name
    pool = PoolKey.parse(name)
    request = fleet_pb2.ListOverridesRequest(region=pool.region, newest_first=True)
    for answer in client.rows(
        client.fleet.ListOverrides, request, of="overrides", limit=LARGEST_PAGE
    ):
        found = override_from_wire("override", answer)
        if found.pool == pool:
            return found.override_id
    raise UnknownOverride(name, remedy="`heliostat fleet overrides` shows those in force")


def _whole_id(name: str) -> str:
    """A command's id as stored; tables omit its leading zeros."""
    from storage.numbering import command_id

    return command_id(int(name)) if name.isdecimal() and len(name) <= 12 else name
