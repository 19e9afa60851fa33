"""Shows commands as a table and in words, and waits for one to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heliostat.model.command import STAGES
from heliostat.model.counting import replicas_in_words
from services.cli.client import Client
from services.cli.figures import NOTHING, at
from services.cli.output import Output

if TYPE_CHECKING:
    from heliostat.model.command import Command
    from heliostat.v1 import fleet_pb2


_WIDEST_ORDER = 34
"""Columns of an order's line that leave room for its reason at 80; longer ones may be broken."""


def show_commands(out: Output, found: Sequence[Command], *, empty: str) -> None:
    """Commands as a table: what belongs together stands in two lines of a cell."""
    orders = [str(one.order).replace(", ", ",\n").replace(" → ", "\n→ ") for one in found]
    widest = max((len(line) for order in orders for line in order.splitlines()), default=0)
    out.table(
        "",
        [
            "id!",
            "made, state!",
            "order!" if widest <= _WIDEST_ORDER else "order",
            "reason / outcome",
        ],
        [
            [
                one.command_id.lstrip("0") or NOTHING,
                "\n".join(filter(None, (at(one.created_at), one.state, one.refusal))),
                order,
                "\n".join(filter(None, (f"{one.author}: {one.reason}", _how_it_goes(one)))),
            ]
            for one, order in zip(found, orders, strict=True)
        ],
        empty=empty,
    )


def show_order(
    client: Client,
    out: Output,
    answered: fleet_pb2.Command,
    overrides: Sequence[fleet_pb2.Override],
    *,
    dry_run: bool,
    wait: bool,
) -> None:
    """Shows the result of a manual order: the command (once it ended, with `wait`) and the override."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import command_from_wire, override_from_wire

    command = command_from_wire("command", answered)
    if wait and not dry_run:
        request = fleet_pb2.WatchCommandRequest(command_id=command.command_id)
        for word in client.stream(client.fleet.WatchCommand, request):
            command = command_from_wire("command", word.command)
            if not out.as_json:
                out.note(f"{command.state}: {_progress(command)}")
    kept = [override_from_wire("override", one) for one in overrides]
    if out.as_json:
        out.json({"command": command, "overrides": kept, "dry_run": dry_run})
        return
    if dry_run:
        out.say("Nothing was ordered (--dry-run); this would be:")
    show_commands(out, [command], empty="")
    for one in kept:
        out.say(
            f"The planner follows {replicas_in_words(one.target_replicas)} of {one.pool} "
            f"until {at(one.expires_at)}."
        )
    if not kept and not dry_run:
        out.say(
            "No override was set. In advisory mode the order stands until the next order or an approved"
            " plan; in active mode the next plan may change it."
        )


def _how_it_goes(command: Command) -> str:
    """How it ended, where that says more than its state, or what an open one waits for."""
    said = command.outcome if command.state.ended else command.progress.detail
    return said if said != command.state else ""


def _progress(command: Command) -> str:
    done = command.progress
    counts = [f"{getattr(done, stage)} {stage}" for stage in STAGES if getattr(done, stage)]
    return ", ".join(counts) or done.detail or "nothing yet"
