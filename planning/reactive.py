"""The tuned reactive baseline: no forecast, one step out above a utilisation, one step in below another.

Utilisation is spread over what is ready and what is coming, so that capacity under way counts and is
not ordered twice. A pool without fresh data stays as it is, and one without any replica grows to
its minimum. (SageServe's reactive rule with the memory signal replaced by ours and other thresholds.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.catalogue import PoolSpec
from heliostat.errors import InvalidInput
from heliostat.model.fleet import PoolObservation
from heliostat.model.governance import Override
from heliostat.model.instants import floor_to
from heliostat.model.names import RegionName, VmTypeName
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.overrides import RULED, overrides_in_force

POLICY = "reactive"
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSettings:
    """Above `out_above` a pool grows by `step_out`, below `in_below` it shrinks by `step_in`.

    The defaults are the cheapest of those swept that keep 99 % of the example fleet's requests within
    their SLO (docs/decisions/0011). SageServe's own are 0.7 and 0.3.
    """

    out_above: float = 0.7
    in_below: float = 0.5
    step_out: int = 1
    step_in: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.in_below < self.out_above:
            raise InvalidInput("reactive", "in_below must lie below out_above, both at least 0")
        if min(self.step_out, self.step_in) < 1:
            raise InvalidInput("reactive.step", "must be at least 1")


class ReactivePlanner:
    """The `CapacityPlanner` that looks at utilisation alone."""

    def __init__(self, settings: ReactiveSettings | None = None) -> None:
        self._settings = settings or ReactiveSettings()

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        overrides = overrides_in_force(problem.overrides, problem.at)
        room = _room(problem)
        targets = []
        for spec in problem.catalogue.pools:
            target = self._target(problem, spec, overrides.get(spec.key))
            group = (spec.key.region, spec.key.vm_type)
            more = target.replicas - problem.fleet.pool(spec.key).standing
            if more > max(0, room.get(group, 0)):
                target = _at_quota(target, target.replicas - more + max(0, room[group]))
                more = max(0, room[group])
            room[group] = room.get(group, 0) - max(0, more)
            targets.append(target)
        return CapacityPlan(
            created_at=problem.at,
            policy=POLICY,
            status=PlanStatus.SOLVED,
            first_step=floor_to(problem.at, _MINUTE),
            step=_MINUTE,
            targets=tuple(targets),
        )

    def _target(
        self, problem: PlanningProblem, spec: PoolSpec, override: Override | None
    ) -> PoolTarget:
        state = problem.fleet.state(spec.key)
        seen = state.observation
        if spec.key.region == problem.lost_region:
            wanted, binding, why = 0, "lost region", f"{spec.key.region} is supposed to be lost"
        elif override is not None:
            wanted, binding = override.target_replicas, RULED
            why = f"{override.author} set it ({override.reason})"
        elif not state.signal.may_reduce_capacity:
            wanted = max(ordered(seen), seen.standing)
            binding, why = "data", f"kept, its report is {state.signal}"
        else:
            wanted, binding, why = self._by_utilisation(seen)
        least = 0 if binding == "lost region" else spec.min_replicas
        replicas = min(max(wanted, least), max(spec.max_replicas, 0))
        if binding == "data":
            replicas = max(wanted, least)
        if replicas > wanted:
            binding, why = "minimum", f"min_replicas is {spec.min_replicas}"
        elif replicas < wanted:
            binding, why = "maximum", f"max_replicas is {spec.max_replicas}"
        return PoolTarget(
            pool=spec.key,
            replicas=replicas,
            current=seen.standing,
            reason=Reason(
                summary=f"{replicas} replicas, {seen.standing} now: {why}",
                binding=binding,
                author=override.author if override is not None else "",
            ),
            path=(replicas,),
        )

    def _by_utilisation(self, seen: PoolObservation) -> tuple[int, str, str]:
        base, busy = ordered(seen), seen.utilisation
        if busy is None or not seen.ready:
            return base, "data", "kept, no utilisation is known"
        spread = busy * seen.ready / max(1, seen.standing)
        if spread > self._settings.out_above:
            return base + self._settings.step_out, "utilisation", f"{busy:.0%} busy"
        if spread < self._settings.in_below and not seen.coming:
            return (
                max(0, base - self._settings.step_in),
                "utilisation",
                f"only {busy:.0%} busy",
            )
        return base, "utilisation", f"{busy:.0%} busy is between the thresholds"


def _room(problem: PlanningProblem) -> dict[tuple[RegionName, VmTypeName], int]:
    """Replicas that quotas and denials still allow beyond what stands."""
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
    return PoolTarget(
        pool=target.pool,
        replicas=replicas,
        current=target.current,
        reason=Reason(
            summary=f"{replicas} replicas, {target.current} now: quota or a refusal of "
            f"{target.pool.vm_type} in {target.pool.region} allows no more",
            binding="quota",
        ),
        path=(replicas,),
    )
