"""Planners that decide pool by pool: a rule proposes a count, the framework limits it.

The frame keeps what every planner owes whatever its rule says: overrides, lost regions, pools
without fresh data, limits, quotas and refusals. Pools without any replica have nothing to be judged by and
stay at their minimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from heliostat.catalogue import PoolSpec
from heliostat.model.counting import replicas_in_words
from heliostat.model.fleet import PoolObservation
from heliostat.model.governance import Override
from heliostat.model.instants import floor_to
from heliostat.model.names import RegionName, VmTypeName
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from heliostat.ports.deciding import PlanningProblem
from planning.bindings import DATA, LOST, MAXIMUM, MINIMUM, QUOTA, RULED
from planning.guard import ordered
from planning.overrides import overrides_in_force

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a rule wants of a pool, the row that decided, and why in a few words.

    `later` is what the pool should have once what is passing now has passed; None = the same. It
    becomes the second count of the target's path, where the rule finds it at its next look.
    """

    replicas: int
    binding: str
    why: str
    later: int | None = None


class PoolRule(Protocol):
    """Decides about one pool of which fresh data is there."""

    @property
    def policy(self) -> str:
        """The name under which its plans are known."""
        ...

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        """What the pool should have now; need not keep limits."""
        ...


def kept(seen: PoolObservation, why: str) -> Wish:
    """The pool stays as it was ordered, for lack of data."""
    return Wish(replicas=ordered(seen), binding=DATA, why=f"kept, {why}")


class PoolRulePlanner:
    """The `CapacityPlanner` that asks a rule pool by pool."""

    def __init__(self, rule: PoolRule) -> None:
        self.rule = rule

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        overrides = overrides_in_force(problem.overrides, problem.at)
        room = room_left(problem)
        targets = []
        for spec in problem.catalogue.pools:
            target = self._target(problem, spec, overrides.get(spec.key))
            group = (spec.key.region, spec.key.vm_type)
            more = target.replicas - problem.fleet.pool(spec.key).standing
            free = max(0, room.get(group, 0))
            if more > free:
                target = _at_quota(target, target.replicas - more + free)
                more = free
            room[group] = room.get(group, 0) - max(0, more)
            targets.append(target)
        return CapacityPlan(
            created_at=problem.at,
            policy=self.rule.policy,
            status=PlanStatus.SOLVED,
            first_step=floor_to(problem.at, _MINUTE),
            step=_MINUTE,
            targets=tuple(targets),
        )

    def _target(
        self, problem: PlanningProblem, spec: PoolSpec, override: Override | None
    ) -> PoolTarget:
        seen = problem.fleet.pool(spec.key)
        wish = self._wish(problem, spec, override)
        least = 0 if wish.binding == LOST else spec.min_replicas
        most = wish.replicas if wish.binding == DATA else spec.max_replicas
        replicas = max(least, min(wish.replicas, most))
        binding, why = wish.binding, wish.why
        if replicas > wish.replicas:
            binding, why = MINIMUM, f"min_replicas is {spec.min_replicas}"
        elif replicas < wish.replicas:
            binding, why = MAXIMUM, f"max_replicas is {spec.max_replicas}"
        later = () if wish.later is None else (max(least, min(wish.later, most)),)
        return PoolTarget(
            pool=spec.key,
            replicas=replicas,
            current=seen.standing,
            reason=Reason(
                summary=f"{replicas_in_words(replicas)}, {seen.standing} now: {why}",
                binding=binding,
                author=override.author if override is not None else "",
            ),
            path=(replicas, *later),
        )

    def _wish(self, problem: PlanningProblem, spec: PoolSpec, override: Override | None) -> Wish:
        state = problem.fleet.state(spec.key)
        seen = state.observation
        if spec.key.region == problem.lost_region:
            why = f"{spec.key.region} is assumed lost"
            return Wish(replicas=0, binding=LOST, why=why)
        if override is not None:
            why = f"{override.author} set it ({override.reason})"
            return Wish(replicas=override.target_replicas, binding=RULED, why=why)
        if not state.signal.may_reduce_capacity:
            why = f"kept, its report is {state.signal}"
            return Wish(replicas=max(ordered(seen), seen.standing), binding=DATA, why=why)
        if not seen.ready:
            return kept(seen, "no ready replica to judge by")
        return self.rule.wish(problem, spec, seen)


def room_left(problem: PlanningProblem) -> dict[tuple[RegionName, VmTypeName], int]:
    """Replicas that quotas and denials still allow in addition to existing ones."""
    room = dict(problem.catalogue.quotas)
    for denial in problem.fleet.denials:
        key = (denial.region, denial.vm_type)
        if problem.at < denial.until and key in room:
            room[key] = min(room[key], denial.most_replicas)
    for state in problem.fleet.pools:
        key = (state.observation.pool.region, state.observation.pool.vm_type)
        if key in room:
            room[key] -= state.observation.standing
    return room


def _at_quota(target: PoolTarget, replicas: int) -> PoolTarget:
    """The target at fewer replicas; its path, which a rule may read back, stays within them."""
    return replace(
        target,
        replicas=replicas,
        reason=replace(
            target.reason,
            summary=f"{replicas_in_words(replicas)}, {target.current} now: quota or a refusal of "
            f"{target.pool.vm_type} in {target.pool.region} allows no more",
            binding=QUOTA,
        ),
        path=tuple(min(count, replicas) for count in target.path),
    )
