"""Why a pool has its target, and why not otherwise: perturb the problem, solve again, compare dollars.

Alternatives are priced over the plan's horizon and told per hour, against a solve of the same
problem as it stands. Marginal values are duals of the linear relaxation: what one more unit of a
scarce row would save, as long as it stays scarce.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from heliostat.catalogue import PoolSpec
from heliostat.errors import UnknownPool
from heliostat.model.names import PoolKey
from heliostat.model.plan import Alternative, CapacityPlan, Explanation
from heliostat.ports.deciding import PlanningProblem, ServedPerReplica
from planning.arrays import Ints
from planning.limits import quota_groups
from planning.milp.instance import Instance
from planning.served import situated
from planning.settings import PlannerSettings
from planning.situation import Situation
from planning.solve import Solution, Stopwatch, not_measured, solve
from planning.stage import full_instance

_MOST_VALUES = 8
_CENT = 0.01


class PerturbingExplainer:
    """Heliostat's `PlanExplainer`; four small solves per question."""

    def __init__(
        self,
        settings: PlannerSettings | None = None,
        *,
        stopwatch: Stopwatch = not_measured,
        served: ServedPerReplica | None = None,
    ) -> None:
        """`served`: the planner's source of θ, so that what is explained is what was planned."""
        self.settings = settings or PlannerSettings()
        self._stopwatch = stopwatch
        self._served = served

    def explain(self, problem: PlanningProblem, plan: CapacityPlan, pool: PoolKey) -> Explanation:
        problem.catalogue.pool(pool)
        target = plan.target(pool)
        if target is None:
            raise UnknownPool(pool, remedy="the plan was made before the catalogue offered it")
        situation = situated(problem, self.settings, self._served)
        if not situation.wanted.regional:
            return Explanation(target=target)
        instance = full_instance(situation)
        base = self._solve(instance)
        if base is None:
            return Explanation(target=target)
        number = [spec.key for spec in situation.pools].index(pool)
        alternatives = [
            self._alternative(situation, instance, base, number, first, counts, what)
            for first, counts, what in _otherwise(instance, base, number)
        ]
        return Explanation(
            target=target,
            alternatives=tuple(alternatives),
            marginal_values=marginal_values(situation, instance, base),
        )

    def _solve(self, instance: Instance) -> Solution | None:
        return solve(instance, self.settings.solve, stopwatch=self._stopwatch)

    def _alternative(
        self,
        situation: Situation,
        instance: Instance,
        base: Solution,
        number: int,
        first: int,
        counts: Ints,
        what: str,
    ) -> Alternative:
        """The pool at these counts from step `first` on."""
        lower, upper = instance.lower.copy(), instance.upper.copy()
        if (counts > upper[number, first:]).any():
            why = _why_not_more(situation, situation.pools[number], counts)
            return Alternative(summary=f"{what}: {why} prevents it", extra_dollars_per_hour=None)
        lower[number, first:] = upper[number, first:] = counts
        other = self._solve(replace(instance, lower=lower, upper=upper))
        if other is None or other.below_floor.sum() > base.below_floor.sum() + 1e-6:
            return Alternative(
                summary=f"{what}: quota, lead time or existing replicas prevent it",
                extra_dollars_per_hour=None,
            )
        assert base.report.objective is not None
        assert other.report.objective is not None
        extra = (other.report.objective - base.report.objective) / float(instance.step_hours.sum())
        short = float(other.shortage.max(initial=0.0) - base.shortage.max(initial=0.0))
        said = f"{what}: leaves {short:.2f} requests/s unserved" if short > _CENT else what
        return Alternative(summary=said, extra_dollars_per_hour=round(extra, 2))


def _otherwise(instance: Instance, base: Solution, number: int) -> Iterator[tuple[int, Ints, str]]:
    """Other counts of the pool, each once, from the step on at which orders of now are ready."""
    assert instance.moves is not None
    first = int(instance.moves.start_arrival[number, 0])
    if first >= instance.steps:
        return
    planned = base.replicas[number, first:]
    yield first, planned + 1, "one replica more"
    if (planned > 0).any():
        yield first, np.maximum(0, planned - 1), "one replica fewer"
    if (planned > 1).any():
        yield first, np.zeros_like(planned), "none at all"


def _why_not_more(situation: Situation, spec: PoolSpec, counts: Ints) -> str:
    """What keeps the pool below these counts in `planning.limits.bounds`."""
    if spec.key.region == situation.problem.lost_region:
        return f"the loss of {spec.key.region}"
    override = situation.overrides.get(spec.key)
    if override is not None and (counts <= spec.max_replicas).all():
        return f"the override by {override.author}"
    return f"max_replicas = {spec.max_replicas}"


def marginal_values(
    situation: Situation, instance: Instance, solution: Solution
) -> tuple[tuple[str, float], ...]:
    """Largest first: (what one more unit of it is, dollars per hour saved), from LP duals."""
    hours = float(instance.step_hours.sum())
    _, _, groups = quota_groups(situation)
    quota = -solution.row_duals["quota"].reshape(len(groups), -1).sum(axis=1) / hours
    values = [
        (f"one more {vm_type} of quota in {region} (LP dual)", float(value))
        for (region, vm_type), value in zip(groups, quota, strict=True)
    ]
    if "budget" in solution.row_duals:
        saved = float(-solution.row_duals["budget"].sum() / hours)
        values.append(("one more dollar per hour of budget (LP dual)", saved))
    scarce = sorted((v for v in values if v[1] > _CENT), key=lambda v: -v[1])
    return tuple((what, round(value, 2)) for what, value in scarce[:_MOST_VALUES])
