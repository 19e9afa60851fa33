"""Reads off a finished world what was ordered of which pool, why, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from heliostat.model.command import Command, RedeployOrder
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Shortage
from heliostat.ports.stores import Stores
from simulation.experiments.result import DecisionRecord

MOST_DECISIONS = 3000
_ALL = 10_000_000
_NAMED = 3
_SUPERSEDED = "superseded"


def decisions_of(stores: Stores, span: Span) -> tuple[tuple[DecisionRecord, ...], int]:
    """Orders and remarkable plans in order of time, at most MOST_DECISIONS, and how many were left out.

    A plan is remarkable when it was not simply solved, or when its notes differ from the one before.
    """
    plans = {plan.version: plan for plan in stores.plans.plans(span, limit=_ALL)}
    found = [*_orders(stores, span, plans), *_remarks(plans)]
    found.sort(key=lambda one: (one.at, one.pool))
    return tuple(found[:MOST_DECISIONS]), max(0, len(found) - MOST_DECISIONS)


def _orders(stores: Stores, span: Span, plans: dict[int, CapacityPlan]) -> Iterator[DecisionRecord]:
    for command in stores.outbox.commands(created=span, limit=_ALL):
        plan = plans.get(command.plan_version)
        for pool, target, moved in _parts(command):
            told = plan.target(pool) if plan else None
            yield DecisionRecord(
                at=to_epoch(command.created_at),
                pool=str(pool),
                target=target,
                before=told.current if told else target,
                reason=(told.reason.summary if told else command.reason) + moved,
                detail=_detail(told),
                outcome=_outcome(command),
            )


def _parts(command: Command) -> Iterator[tuple[PoolKey, int, str]]:
    """The pools of an order with their targets, and what a redeployment adds to the reason."""
    order = command.order
    if isinstance(order, RedeployOrder):
        yield order.source, order.source_target, f" (redeployed to {order.destination})"
        yield order.destination, order.destination_target, f" (redeployed from {order.source})"
    else:
        yield order.pool, order.target_replicas, ""


def _detail(target: PoolTarget | None) -> str:
    if target is None:
        return ""
    reason = target.reason
    parts = (reason.binding and f"bound by {reason.binding}", reason.forecast, reason.clip)
    return "; ".join(part for part in parts if part)


def _outcome(command: Command) -> str:
    if command.outcome.startswith(_SUPERSEDED):
        return _SUPERSEDED
    words = [str(command.state), str(command.refusal or ""), command.outcome]
    return ": ".join(dict.fromkeys(word for word in words if word))


def _remarks(plans: dict[int, CapacityPlan]) -> Iterator[DecisionRecord]:
    said: tuple[str, ...] = ()
    for version in sorted(plans):
        plan = plans[version]
        told = () if plan.status is PlanStatus.SOLVED else (f"plan {plan.status}",)
        notes = (*told, *plan.notes, *_shortages(plan))
        if notes and notes != said:
            yield DecisionRecord(
                at=to_epoch(plan.created_at),
                pool="",
                target=0,
                before=0,
                reason=notes[0],
                detail="; ".join(notes[1:]),
            )
        said = notes


def _shortages(plan: CapacityPlan) -> Iterator[str]:
    """One sentence per reason: how much, and the demands that it hits most."""
    by_reason: dict[str, list[Shortage]] = {}
    for one in plan.shortages:
        by_reason.setdefault(one.reason, []).append(one)
    for reason, short in by_reason.items():
        short.sort(key=lambda one: -one.requests_per_second)
        total = sum(one.requests_per_second for one in short)
        named = ", ".join(str(one.demand) for one in short[:_NAMED])
        more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
        yield f"short of {total:.3g} requests/s in {named}{more}: {reason}"
