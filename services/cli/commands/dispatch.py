"""`heliostat dispatch`: how a region's agent places requests, read from its local API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.client import Client
from services.cli.figures import NOTHING, at, count, fraction, span_words
from services.cli.output import Output
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.dispatch_view import DispatchView
    from heliostat.model.measured_law import MeasuredLaw

app = typer.Typer(no_args_is_help=True, help="Single requests inside a region, from its agent.")

Model = Annotated[str, typer.Option(help="Only this model.")]


@app.command()
@wired
def status(agent: Client, out: Output, model: Model = "") -> None:
    """How requests are currently placed, and the decisions since the agent's start."""
    view = _view(agent, model, 1)
    if out.as_json:
        found = {"bases": view.bases, "laws": view.laws, "held": view.held}
        out.json({"region": view.region, **found, **_counts(view)})
        return
    out.table(
        f"{view.region}: basis of placement",
        ["model", "basis", "fresh>", "not looked at yet>", "ready>"],
        [
            [
                one.model,
                one.basis,
                count(one.fresh_replicas),
                count(one.new_replicas),
                count(one.ready_replicas),
            ]
            for one in view.bases
        ],
        empty=f"{view.region}: no replicas are ready.",
    )
    out.table(
        f"{view.region}: refitted laws, relative to the catalogue's",
        ["model", "vm type", "seen>", "error>", "prompts>", "prefill>", "batches>", "gap>"],
        [_law(one) for one in view.laws],
        empty="All pools use the catalogue's law: too few observations to refit one.",
    )
    counts, placed = view.counts, view.counts.placed
    out.facts(
        {
            "received": count(counts.asked),
            "placed": f"{count(placed)}, of these round-robin {count(counts.placed_in_turn)}, "
            f"on the session's replica {count(counts.session_kept)}",
            "re-balanced": f"{count(counts.rebalanced)}, because outputs exceeded predictions",
            "queued": f"{count(counts.queued)}, now in memory {count(view.held)}",
            "other region": count(counts.other_region),
            "rejected": f"{count(counts.shed)}, invalid {count(counts.refused)}",
            "ended": f"{count(counts.finished)} finished, {count(counts.given_up)} given up, "
            f"{count(counts.withdrawn)} withdrawn",
        }
    )


@app.command()
@wired
def replicas(
    agent: Client,
    out: Output,
    model: Model = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of replicas.")] = 50,
) -> None:
    """List replicas, fullest first, with their bookings and measurements."""
    view = _view(agent, model, limit)
    if out.as_json:
        out.json({"region": view.region, "replicas": view.replicas})
        return
    out.table(
        f"{view.region}: {len(view.replicas)} of {count(view.replicas_known)} replicas",
        ["replica", "model", "vm type", "signal", "age>", "booked>", "running>", "waiting>", "KV>"],
        [
            [
                one.replica_id + (" (drains)" if one.draining else ""),
                one.pool.model,
                one.pool.vm_type,
                one.signal,
                NOTHING if one.signal_age_seconds is None else f"{one.signal_age_seconds:.0f} s",
                count(one.booked_requests),
                count(one.running_requests),
                count(one.waiting_requests),
                fraction(one.kv_occupancy),
            ]
            for one in view.replicas
        ],
        empty=f"{view.region}: no replicas are known.",
    )


@app.command()
@wired
def queue(agent: Client, out: Output, model: Model = "") -> None:
    """Show batch requests on the agent's disk, by model."""
    view = _view(agent, model, 1)
    if out.as_json:
        out.json({"region": view.region, "queues": view.queues})
        return
    out.table(
        f"{view.region}: batch requests",
        ["model", "waiting>", "promoted>", "placed>", "oldest>", "first due!"],
        [
            [
                one.model,
                count(one.waiting),
                count(one.promoted),
                count(one.placed),
                NOTHING if one.oldest_seconds is None else span_words(one.oldest_seconds),
                at(one.first_due),
            ]
            for one in view.queues
        ],
        empty=f"{view.region}: no batch requests are waiting or running.",
    )


def _law(law: MeasuredLaw) -> list[str]:
    """Observed ranges, and times relative to the catalogue's."""
    return [
        law.pool.model,
        law.pool.vm_type,
        count(law.observed),
        fraction(law.error),
        f"{law.prompt_tokens[0]:.0f}–{law.prompt_tokens[1]:.0f}" if law.prefills else NOTHING,
        f"× {law.prefill_ratio:.2f}" if law.prefills else NOTHING,
        f"{law.sequences[0]:.0f}–{law.sequences[1]:.0f}" if law.iterations else NOTHING,
        f"× {law.iteration_ratio:.2f}" if law.iterations else NOTHING,
    ]


def _view(agent: Client, model: str, limit: int) -> DispatchView:
    from heliostat.v1 import dispatch_pb2
    from services.translation.dispatch_view import view_from_wire

    request = dispatch_pb2.GetDispatchRequest(model=model, page_size=limit)
    return view_from_wire(agent.call(agent.dispatch.GetDispatch, request))


def _counts(view: DispatchView) -> dict[str, object]:
    return {"counts": view.counts, "placed": view.counts.placed}
