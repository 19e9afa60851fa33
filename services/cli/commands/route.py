"""`heliostat route`: routing tables, and which gateways use them."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.client import Client
from services.cli.figures import at, percent
from services.cli.output import Output
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.routing import RouteEntry, RoutingTable
    from heliostat.v1 import routing_pb2

app = typer.Typer(no_args_is_help=True, help="Routing tables.")


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Option(help="Origin region (default: all).")] = "",
    version: Annotated[str, typer.Option(help="Table version; needs --region.")] = "",
) -> None:
    """Show the published tables and their acknowledgements by gateways."""
    from heliostat.v1 import routing_pb2
    from services.translation.routing import gateway_from_wire, table_from_wire

    request = routing_pb2.GetRoutesRequest(origin_region=region, version=version)
    answer = client.call(client.routes.GetRoutes, request)
    tables = [table_from_wire("table", one) for one in answer.tables]
    gateways = [gateway_from_wire("gateway", one) for one in answer.gateways]
    if out.as_json:
        out.json({"tables": tables, "gateways": gateways})
        return
    if not tables:
        out.say("No routing table has been published yet.")
    for table in tables:
        _show(out, table)
    out.table(
        "Gateways",
        ["region", "gateway", "version", "uses it", "at!", "detail"],
        [
            [one.origin, one.gateway_id, one.version, _yes(one.accepted), at(one.at), one.detail]
            for one in gateways
        ],
        empty="No gateway has acknowledged a table yet.",
    )


@app.command()
@wired
def watch(
    client: Client,
    out: Output,
    region: Annotated[str, typer.Argument(help="Origin region.")],
    tables: Annotated[int, typer.Option(min=0, help="Stop after this many tables; 0 = never.")] = 0,
) -> None:
    """Show a region's table now and on every change; --json writes one table a line. Ctrl-C ends it.

    It acknowledges nothing, so it is not listed among the gateways of `route get`.
    """
    from services.translation.routing import table_from_wire

    said: queue.SimpleQueue[routing_pb2.WatchRoutesRequest | None] = queue.SimpleQueue()
    said.put(_subscription(region))
    try:
        answers = client.stream(client.routes.WatchRoutes, iter(said.get, None))
        for number, answer in enumerate(answers, start=1):
            table = table_from_wire("table", answer.table)
            if out.as_json:
                out.json(table, lines=True)
            else:
                _show(out, table)
            if number == tables:
                break
    finally:
        said.put(None)


def _subscription(region: str) -> routing_pb2.WatchRoutesRequest:
    from heliostat.v1 import routing_pb2

    return routing_pb2.WatchRoutesRequest(
        subscribe=routing_pb2.RouteSubscription(
            origin_region=region, gateway_id=f"cli-{os.getpid()}", only_looks=True
        )
    )


def _show(out: Output, table: RoutingTable) -> None:
    out.table(
        f"{table.origin}: version {table.version} (plan {table.plan_version}), valid from "
        f"{at(table.valid_from)}, stale after {table.stale_after.total_seconds():g} s",
        ["model", "tier", "served by", "shed>", "reason"],
        [
            [
                entry.model,
                entry.tier,
                "\n".join(_shares(entry)),
                percent(entry.shed_ppm / 1e6),
                entry.reason,
            ]
            for entry in table.entries
        ],
        empty=f"{table.origin}: version {table.version} has no entries.",
    )


def _shares(entry: RouteEntry) -> Iterator[str]:
    for share in entry.shares:
        if share.weight_ppm:
            yield f"{share.serving} {percent(share.weight_ppm / 1e6)}"


def _yes(accepted: bool) -> str:
    return "yes" if accepted else "no"
