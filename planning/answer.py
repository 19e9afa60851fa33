"""From a solution in arrays back to a plan in names."""

from __future__ import annotations

import numpy as np

from heliostat.catalogue import PoolSpec
from heliostat.model.names import EVERYWHERE, PoolKey
from heliostat.model.plan import CapacityPlan, Flow, PlanStatus, PoolTarget, Redeployment
from planning.arrays import Ints
from planning.milp.instance import Instance
from planning.reasons import Told, shortages
from planning.situation import Situation
from planning.solve import Solution

_SMALLEST_FLOW = 1e-6


def targets_now(instance: Instance, solution: Solution) -> Ints:
    """Replicas that each pool should have after the orders that are due now (P)."""
    moves = instance.moves
    if moves is None:
        first: Ints = solution.replicas[:, 0]
        return first
    now: Ints = moves.initial + moves.arriving.sum(axis=1) + solution.starts[:, 0]
    now = now - solution.releases[:, 0]
    if len(moves.redeploys):
        np.subtract.at(now, moves.redeploys[:, 0], solution.redeploys[:, 0])
        np.add.at(now, moves.redeploys[:, 1], solution.redeploys[:, 0])
    return now


def plan_of(
    policy: str, situation: Situation, instance: Instance, solution: Solution
) -> CapacityPlan:
    """The plan behind a solution: targets, reasons, flows of the first step, shortages, notes."""
    told = Told(situation=situation, instance=instance, solution=solution)
    targets = targets_now(instance, solution)
    near = situation.grid.near
    late = solution.report.time_limited
    return CapacityPlan(
        created_at=situation.problem.at,
        policy=policy,
        status=PlanStatus.TIME_LIMITED if late else PlanStatus.SOLVED,
        first_step=situation.grid.spans[0].start,
        step=situation.grid.spans[0].length,
        targets=tuple(
            PoolTarget(
                pool=spec.key,
                replicas=int(targets[number]),
                current=situation.standing[spec.key].replicas,
                reason=told.reason(number, int(targets[number])),
                without_override=_without_override(situation, spec),
                path=tuple(int(count) for count in solution.replicas[number, :near]),
            )
            for number, spec in enumerate(situation.pools)
        ),
        flows=_flows(situation, instance, solution),
        redeployments=_redeployments(situation, instance, solution),
        shortages=shortages(situation, instance, solution),
        solve=solution.report,
        notes=notes(situation, instance, solution),
    )


def _without_override(situation: Situation, spec: PoolSpec) -> int | None:
    """`PoolTarget.without_override`: kept after the end of an override until a forecast decides."""
    if spec.key in situation.overrides:
        return situation.before_override(spec)
    undecided = situation.standing[spec.key].held or spec.key in situation.handed_back
    return situation.ended[spec.key].replicas if undecided and spec.key in situation.ended else None


def _flows(situation: Situation, instance: Instance, solution: Solution) -> tuple[Flow, ...]:
    """Flows of the first step: what routing starts from."""
    flows: list[Flow] = []
    for arc in np.flatnonzero(solution.flows[:, 0] > _SMALLEST_FLOW):
        pool: PoolKey = situation.pools[int(instance.arc_pool[arc])].key
        flows.append(
            Flow(
                demand=situation.wanted.regional[int(instance.arc_demand[arc])].key,
                serving=pool.region,
                vm_type=pool.vm_type,
                requests_per_second=float(solution.flows[arc, 0]),
            )
        )
    return tuple(flows)


def _redeployments(
    situation: Situation, instance: Instance, solution: Solution
) -> tuple[Redeployment, ...]:
    if instance.moves is None or not len(instance.moves.redeploys):
        return ()
    return tuple(
        Redeployment(
            source=situation.pools[int(source)].key,
            destination=situation.pools[int(destination)].key,
            replicas=int(count),
        )
        for (source, destination), count in zip(
            instance.moves.redeploys, solution.redeploys[:, 0], strict=True
        )
        if count > 0
    )


def notes(situation: Situation, instance: Instance, solution: Solution) -> tuple[str, ...]:
    """Sentences about the whole plan."""
    said = exclusions(situation)
    said += situation.wanted.notes
    held = [str(pool) for pool, stand in situation.standing.items() if stand.held]
    if held:
        said.append(f"{len(held)} pools may not shrink for lack of data: {', '.join(held[:5])}")
    lacking = solution.uncovered.max(axis=1, initial=0.0)
    said += [
        f"{cover.label}: {float(gap):.2f} requests/s are not covered"
        for cover, gap in zip(instance.covers, lacking, strict=True)
        if gap > _SMALLEST_FLOW
    ]
    if solution.over_budget.max(initial=0.0) > _SMALLEST_FLOW:
        said.append(f"over the budget by {solution.over_budget.max():.2f} $/h")
    below = solution.below_floor[:, -1]
    said += [
        f"{spec.key} stays {int(np.ceil(gap - _SMALLEST_FLOW))} below its minimum or override"
        for spec, gap in zip(situation.pools, below, strict=True)
        if gap > _SMALLEST_FLOW
    ]
    return tuple(dict.fromkeys(said))


def exclusions(situation: Situation) -> list[str]:
    """VM types that cannot serve a tier: at any origin's lengths, or at those of some origins."""
    said = []
    for (key, vm_type), rate in situation.thetas.items():
        common = situation.common(key.model, vm_type, key.tier)
        if rate.excluded and key.origin == EVERYWHERE:
            said.append(rate.excluded)
        elif rate.excluded and not common.excluded:
            said.append(f"{rate.excluded} (requests of {key.origin})")
    return said
