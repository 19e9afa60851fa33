"""`heliostat fleet`: pools as observed, and manual orders, which the planner follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heliostat.model.command import CommandState
from services.cli.asking import Limit, Regions
from services.cli.client import Client
from services.cli.commands import manual
from services.cli.figures import NOTHING, at, count, percent
from services.cli.orders import show_commands
from services.cli.output import Output
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.fleet import Fleet, PoolState

app = typer.Typer(no_args_is_help=True, help="Pools, manual orders, commands.")


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    region: Regions = None,
    every: Annotated[bool, typer.Option("--all", help="Include pools without replicas.")] = False,
) -> None:
    """Show pools as last observed; – = not measured."""
    from heliostat.v1 import fleet_pb2
    from services.translation.fleet import etags_from_wire, fleet_from_wire, holds_from_wire

    answer = client.call(client.fleet.GetFleet, fleet_pb2.GetFleetRequest(regions=region or []))
    fleet, etags = fleet_from_wire(answer), etags_from_wire(answer)
    if out.as_json:
        etags_by_name = {str(pool): etag for pool, etag in etags.items()}
        out.json({"fleet": fleet, "etags": etags_by_name, "holds": holds_from_wire(answer)})
        return
    shown = [state for state in fleet.pools if every or _stands(state)]
    out.table(
        f"Fleet at {at(fleet.at)}",
        ["pool", "want>", "ready>", "coming>", "drain>", "fail>", "used>", "signal"],
        [_row(state) for state in shown],
        empty="No pool has replicas (--all shows all pools).",
    )
    _show_waiting_batch(out, fleet, every=every)
    if fleet.denials:
        out.table(
            "Cloud refusals",
            ["region", "VM type", "until", "at most>", "because"],
            [
                [one.region, one.vm_type, at(one.until), str(one.most_replicas), one.reason]
                for one in fleet.denials
            ],
            empty="",
        )
    if answer.holds:
        out.table(
            "Agents",
            ["region", "agent", "since", "held until"],
            [
                [one.region, one.agent.agent_id, at(one.since), at(one.until)]
                for one in holds_from_wire(answer)
            ],
            empty="",
        )
    _show_unknown_vms(out, fleet)
    for paused in sorted(fleet.paused_agents):
        out.say(f"The agent of {paused} is paused: its region carries out no commands.")


app.command()(manual.scale)
app.command()(manual.redeploy)


@app.command()
@wired
def overrides(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Option(help="Region (default: all).")] = "",
    limit: Limit = 200,
) -> None:
    """List manual targets that the planner follows, newest first."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import override_from_wire

    request = fleet_pb2.ListOverridesRequest(region=region, newest_first=True)
    answers, total = client.counted(
        client.fleet.ListOverrides, request, of="overrides", limit=limit
    )
    found = [override_from_wire("override", one) for one in answers]
    if out.as_json:
        out.json({"overrides": found, "total": total})
        return
    out.table(
        "",
        ["pool", "target>", "until!", "by: reason"],
        [
            [
                str(one.pool),
                str(one.target_replicas),
                at(one.expires_at),
                f"{one.author}: {one.reason}",
            ]
            for one in found
        ],
        empty="No overrides are in force.",
    )
    if found:
        out.say(
            f"`heliostat fleet cancel --override {found[0].pool}` ends one (--json has the ids)."
        )
    _say_more(out, len(found), total)


@app.command()
@wired
def commands(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Option(help="Region (default: all).")] = "",
    state: Annotated[
        list[CommandState] | None,
        typer.Option(metavar="<state>", help=f"{', '.join(CommandState)}; may repeat."),
    ] = None,
    limit: Limit = 100,
) -> None:
    """List commands with their progress and outcome, newest first."""
    from heliostat.v1 import fleet_pb2
    from services.translation.commands import command_from_wire
    from services.translation.enums import COMMAND_STATE

    request = fleet_pb2.ListCommandsRequest(
        region=region,
        states=[COMMAND_STATE.to_wire(one) for one in state or ()],
        newest_first=True,
    )
    answers, total = client.counted(client.fleet.ListCommands, request, of="commands", limit=limit)
    found = [command_from_wire("command", one) for one in answers]
    if out.as_json:
        out.json({"commands": found, "total": total})
        return
    show_commands(out, found, empty="No commands match.")
    _say_more(out, len(found), total)


app.command()(manual.cancel)


def _say_more(out: Output, shown: int, total: int) -> None:
    if total > shown:
        out.say(f"{total - shown} older ones not shown; --limit {total} shows all.")


def _show_unknown_vms(out: Output, fleet: Fleet) -> None:
    """VMs that carry our tags and that no agent's journal knows, and what to do about them."""
    found = [report for report in fleet.reports if report.unknown_vms]
    if not found:
        return
    out.table(
        "Unknown VMs",
        ["region!", "seen at!", "VMs>", "which"],
        [
            [
                report.region,
                at(report.observed_at),
                count(len(report.unknown_vms)),
                " ".join(report.unknown_vms),
            ]
            for report in found
        ],
        empty="",
    )
    out.say(
        "They carry Heliostat's tags, but their region's agent has no record of them: it never touches "
        "them, and buys nothing for their pools. To take them in, run `heliostat agent adopt <VM> …` on "
        "that agent's machine; to leave them alone, remove their tag heliostat:region."
    )


def _show_waiting_batch(out: Output, fleet: Fleet, *, every: bool) -> None:
    """Batch requests that wait, where that is known; `every` shows also where none does."""
    shown = [backlog for backlog in fleet.batch_backlog if every or backlog.requests]
    if shown:
        out.table(
            "Waiting batch requests",
            ["region", "model", "waiting>", "first due"],
            [
                [
                    one.region,
                    one.model,
                    count(one.requests),
                    at(one.groups[0].due if one.groups else None),
                ]
                for one in shown
            ],
            empty="",
        )


def _stands(state: PoolState) -> bool:
    seen = state.observation
    return bool(seen.desired or seen.standing or seen.draining or seen.failed)


def _row(state: PoolState) -> list[str]:
    """– for values that were not measured, which is not zero."""
    seen = state.observation
    if state.observed_at is None:
        return [str(seen.pool), *[NOTHING] * 6, state.signal]
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
