"""Why a pool has its target, and why not otherwise: perturb the problem, solve again, compare dollars.

Alternatives are priced over the plan's horizon and told per hour, against a solve of the same
problem as it stands. Marginal values are duals of the linear relaxation: what one more unit of a
scarce row would save, as long as it stays scarce.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from heliostat.clock import cpu_seconds
from heliostat.errors import UnknownPool
from heliostat.model.names import PoolKey
from heliostat.model.plan import Alternative, CapacityPlan, Explanation
from heliostat.ports.deciding import PlanningProblem, ServedPerReplica
from planning.limits import quota_groups
from planning.milp.instance import Floats, Instance
from planning.served import situated
from planning.settings import PlannerSettings
from planning.situation import Situation
from planning.solve import Solution, solve
from planning.stage import full_instance

_MOST_VALUES = 8
_CENT = 0.01


class PerturbingExplainer:
    """The `PlanExplainer` of the house; four small solves a question."""

    def __init__(
        self,
        settings: PlannerSettings | None = None,
        *,
        stopwatch: Callable[[], float] = cpu_seconds,
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
        planned = base.replicas[number]
        alternatives = [
            self._alternative(instance, base, number, planned + 1, "one replica more"),
            self._alternative(instance, base, number, planned - 1, "one replica fewer"),
            self._alternative(instance, base, number, planned * 0, "none at all"),
        ]
        return Explanation(
            target=target,
            alternatives=tuple(a for a in alternatives if a is not None),
            marginal_values=marginal_values(situation, instance, base),
        )

    def _solve(self, instance: Instance) -> Solution | None:
        return solve(instance, self.settings.solve, stopwatch=self._stopwatch)

    def _alternative(
        self, instance: Instance, base: Solution, number: int, counts: Floats, what: str
    ) -> Alternative | None:
        """The pool at other counts from the step on at which orders of now are ready."""
        assert instance.moves is not None
        first = int(instance.moves.start_arrival[number, 0])
        if first >= instance.steps:
            return None
        counts = np.maximum(0, counts[first:])
        if (counts == base.replicas[number, first:]).all():
            return None
        lower, upper = instance.lower.copy(), instance.upper.copy()
        if (counts > upper[number, first:]).any():
            return Alternative(
                summary=f"{what}: max_replicas forbids it", extra_dollars_per_hour=None
            )
        lower[number, first:] = upper[number, first:] = counts
        other = self._solve(replace(instance, lower=lower, upper=upper))
        if other is None or other.below_floor.sum() > base.below_floor.sum() + 1e-6:
            return Alternative(
                summary=f"{what}: quota, lead time or what stands forbid it",
                extra_dollars_per_hour=None,
            )
        assert base.report.objective is not None
        assert other.report.objective is not None
        extra = (other.report.objective - base.report.objective) / float(instance.step_hours.sum())
        short = float(other.shortage.max(initial=0.0) - base.shortage.max(initial=0.0))
        said = f"{what}: leaves {short:.2f} requests/s unserved" if short > _CENT else what
        return Alternative(summary=said, extra_dollars_per_hour=round(extra, 2))


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
