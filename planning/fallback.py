"""What a planner answers when it cannot decide: the last good targets, else the catalogue's floor."""

from __future__ import annotations

from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from planning.situation import Situation


def keep_or_floor(
    situation: Situation, policy: str, why: str, *, infeasible: bool = False
) -> CapacityPlan:
    """The previous plan's targets, or the floor; overrides stand, nothing held is taken away."""
    previous = situation.problem.previous
    kept = previous is not None
    status = PlanStatus.KEPT_LAST if kept else PlanStatus.FLOOR
    targets = tuple(_target(situation, number, why) for number in range(len(situation.pools)))
    what = "the last plan's targets stand" if kept else "the catalogue's floor stands"
    lead = "infeasible: " if infeasible else ""
    return CapacityPlan(
        created_at=situation.problem.at,
        policy=policy,
        status=status,
        first_step=situation.grid.spans[0].start,
        step=situation.grid.spans[0].length,
        targets=targets,
        flows=previous.flows if previous is not None else (),
        shortages=previous.shortages if previous is not None else (),
        notes=(f"{lead}{why}; {what}", *situation.wanted.notes),
    )


def _target(situation: Situation, number: int, why: str) -> PoolTarget:
    spec = situation.pools[number]
    current = situation.standing[spec.key].replicas
    override = situation.overrides.get(spec.key)
    previous = situation.problem.previous
    last = previous.target(spec.key) if previous is not None else None
    if override is not None:
        replicas = min(max(override.target_replicas, spec.min_replicas), spec.max_replicas)
        reason = Reason(
            summary=f"{replicas} replicas: {override.author} set it ({override.reason})",
            binding="override",
        )
    elif last is not None:
        replicas = last.replicas
        reason = Reason(
            summary=f"{replicas} replicas, as in the last plan: {why}", binding="kept last"
        )
    else:
        replicas = max(spec.min_replicas, current)
        reason = Reason(
            summary=f"{replicas} replicas: {why}; what stands is kept, at least the floor of "
            f"{spec.min_replicas}",
            binding="minimum",
        )
    return PoolTarget(pool=spec.key, replicas=replicas, current=current, reason=reason)
