"""Heliostat's planner: all pools together over a receding horizon, ordering only what is due now.

Degrades in this order and says so: no aggregate forecast → regional quantiles are added; a pool or
a model without usable data → it may grow and not shrink; no usable forecast at all, or no feasible
plan → the previous plan's targets (KEPT_LAST), and as long as none was ever solved the catalogue's
floor (FLOOR). In all of these an override that ended gives its pool back what it had before.
Batch work counts at the median of its mean rate or, where settings ask for it, at the rate at which what
waits is done in time (`batch_due`).
Cold starts and redeployments are planned; warm starts are the driver's matter and come sooner.
"""

from __future__ import annotations

from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import PlanningProblem, ServedPerReplica
from planning.answer import plan_of
from planning.fallback import keep_or_floor
from planning.served import situated
from planning.settings import PlannerSettings
from planning.solve import Stopwatch, not_measured, solve
from planning.stage import full_instance

POLICY = "heliostat"


class HeliostatPlanner:
    """Heliostat's `CapacityPlanner`; pure except for the stopwatch of its report."""

    def __init__(
        self,
        settings: PlannerSettings | None = None,
        *,
        stopwatch: Stopwatch = not_measured,
        served: ServedPerReplica | None = None,
    ) -> None:
        """`served`: another source of θ than `planning.throughput`, where placement knows it."""
        self.settings = settings or PlannerSettings()
        self._served = served
        self._stopwatch = stopwatch

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        situation = situated(problem, self.settings, self._served)
        if not situation.wanted.regional:
            return keep_or_floor(situation, POLICY, "no forecast covers the horizon")
        instance = full_instance(situation)
        solution = solve(instance, self.settings.solve, stopwatch=self._stopwatch)
        if solution is None:
            return keep_or_floor(
                situation, POLICY, "quotas and limits leave no feasible plan", infeasible=True
            )
        return plan_of(POLICY, situation, instance, solution)
