"""Rows of the picture: pools, routes, commands and the plan, each made from values of the domain."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.command import Command, RedeployOrder, ScaleOrder
from heliostat.model.fleet import Fleet
from heliostat.model.instants import Span
from heliostat.model.plan import CapacityPlan
from heliostat.model.routing import MILLION, RoutingAck, RoutingTable
from services.dashboard.memory import on_grid
from services.dashboard.picture import CommandLine, Focus, PlanNow, PoolNow, RouteNow
from services.dashboard.standing import PoolMemory


def plan_now(plan: CapacityPlan | None) -> PlanNow | None:
    """The newest plan in a line; None before the first."""
    if plan is None:
        return None
    return PlanNow(
        version=plan.version,
        policy=plan.policy,
        status=plan.status,
        created_at=plan.created_at,
        notes=plan.notes,
    )


def pools_now(
    catalogue: FleetCatalogue,
    fleet: Fleet,
    plan: CapacityPlan | None,
    memory: PoolMemory,
    frame: Span,
) -> tuple[PoolNow, ...]:
    """One row per pool of the catalogue, in its order."""
    targets = {target.pool: target for target in plan.targets} if plan else {}
    rows = []
    for spec in catalogue.pools:
        state, target = fleet.state(spec.key), targets.get(spec.key)
        seen = state.observation
        rows.append(
            PoolNow(
                region=spec.key.region,
                model=spec.key.model,
                vm_type=spec.key.vm_type,
                wanted=target.replicas if target else 0,
                ready=seen.ready,
                coming=seen.coming,
                draining=seen.draining,
                failed=seen.failed,
                utilisation=seen.utilisation,
                signal=state.signal,
                reason=target.reason.summary if target else "",
                clip=target.reason.clip if target else "",
                wanted_line=on_grid(memory.wanted.get(spec.key, {}), frame),
                ready_line=on_grid(memory.ready.get(spec.key, {}), frame),
            )
        )
    return tuple(rows)


def routes_now(
    tables: Sequence[RoutingTable], acks: Sequence[RoutingAck], focus: Focus
) -> tuple[RouteNow, ...]:
    """Where each origin sends the focused model and tier; origins without such an entry are left out."""
    rows = []
    for table in tables:
        entry = table.entry(focus.model, focus.tier)
        if entry is None:
            continue
        named = (table.origin, table.version)
        words = [ack.accepted for ack in acks if (ack.origin, ack.version) == named]
        rows.append(
            RouteNow(
                origin=table.origin,
                version=table.version,
                shares={s.serving: s.weight_ppm / MILLION for s in entry.shares},
                shed=entry.shed_ppm / MILLION,
                reason=entry.reason,
                accepted=all(words) if words else None,
            )
        )
    return tuple(rows)


def command_line(command: Command) -> CommandLine:
    """One line of the command log."""
    match command.order:
        case ScaleOrder(pool=pool, target_replicas=target):
            what = f"{pool.model} on {pool.vm_type} to {target}"
        case RedeployOrder() as move:
            what = (
                f"{move.source.model} to {move.source_target}, {move.destination.model} to "
                f"{move.destination_target} on the same {move.source.vm_type}"
            )
    refused = f"{command.refusal}: " if command.refusal else ""
    return CommandLine(
        command_id=command.command_id,
        at=command.created_at,
        region=command.region,
        what=what,
        state=command.state,
        reason=command.reason,
        outcome=refused + command.outcome,
        author=command.author,
    )
