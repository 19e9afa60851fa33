"""SageServe's integer programme as a policy: the same builder with T = 1, own-share and all-regions rows.

POMACS 9(3) 61: every region holds at least ε of its own peak, all regions together the peak of the sum,
at the least α·δ + σ·max(0, δ) (δ = change of a count, α = price of a VM, σ = price of its start), decided
once for the hour ahead with new capacity taken as there at once and replicas at full throughput. It
plans no flows: routing decides by utilisation. Quotas, limits and overrides hold as for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.fleet import StartKind
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import PlanningProblem
from planning.answer import plan_of
from planning.covering import everywhere_cover, own_share_cover
from planning.fallback import keep_or_floor
from planning.grid import horizon
from planning.limits import bounds, prices, quota_groups
from planning.milp.instance import Cover, Instance, Moves
from planning.moving import full_moves
from planning.settings import PlannerSettings
from planning.situation import Situation, look
from planning.solve import Stopwatch, not_measured, solve

POLICY = "sageserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class SageServeSettings:
    """`own_share` is ε; `level` is the quantile that stands for the forecast peak; `window` the hour."""

    own_share: float = 0.8
    level: float = 0.95
    window: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not 0 < self.own_share <= 1:
            raise InvalidInput("sageserve.own_share", f"{self.own_share} is not within (0, 1]")


class SageServePlanner:
    """The `CapacityPlanner` that decides as SageServe does."""

    def __init__(
        self,
        settings: SageServeSettings | None = None,
        *,
        stopwatch: Stopwatch = not_measured,
    ) -> None:
        self._settings = settings or SageServeSettings()
        self._stopwatch = stopwatch
        self._planner = PlannerSettings(
            near_step=self._settings.window,
            near_steps=1,
            far_steps=0,
            level=self._settings.level,
            patient_level=self._settings.level,
            peak_share=1.0,
            patient_peak_share=1.0,
            batch_yields=False,
            batch_within=timedelta(0),
            measured_counts=False,
            change_hours=0.0,
        )

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        situation = look(problem, self._planner, horizon(problem.at, self._planner))
        if not situation.wanted.regional:
            return keep_or_floor(situation, POLICY, "no forecast covers the horizon")
        instance = self._instance(situation)
        solution = solve(instance, self._planner.solve, stopwatch=self._stopwatch)
        if solution is None:
            return keep_or_floor(
                situation, POLICY, "quotas and limits leave no feasible plan", infeasible=True
            )
        return plan_of(POLICY, situation, instance, solution)

    def _instance(self, situation: Situation) -> Instance:
        lower, upper = bounds(situation)
        group, quota, _ = quota_groups(situation)
        pools = len(situation.pools)
        return Instance(
            price=prices(situation),
            step_hours=situation.grid.hours,
            demand=np.zeros((0, 1)),
            arc_demand=np.zeros(0, dtype=np.int64),
            arc_pool=np.zeros(0, dtype=np.int64),
            arc_load=np.zeros(0),
            arc_cost=np.zeros(0),
            shortage_price=np.zeros(0),
            lower=lower,
            upper=upper,
            quota_group=group,
            quota=quota,
            usable=np.ones((pools, 2)),
            typical=np.ones((pools, 1)),
            covers=_covers(situation, self._settings.own_share),
            moves=_moves_at_once(situation),
            budget=situation.catalogue.guardrails.budget_dollars_per_hour,
        )


def _covers(situation: Situation, share: float) -> tuple[Cover, ...]:
    """Every region's own share of its peak, and the peak of the sum over all regions."""
    catalogue = situation.catalogue
    own = (
        own_share_cover(situation, region.name, model.name, share)
        for model in catalogue.models
        for region in catalogue.regions
        if region.name != situation.problem.lost_region
    )
    whole = (everywhere_cover(situation, model.name) for model in catalogue.models)
    return tuple(cover for cover in (*own, *whole) if cover is not None)


def _moves_at_once(situation: Situation) -> Moves:
    """Starts serve in the step in which they are ordered and cost σ, what is billed until they are ready.

    Nothing is redeployed.
    """
    moves = full_moves(situation)
    hours = [
        situation.lead_time(spec.key, StartKind.COLD) / timedelta(hours=1)
        for spec in situation.pools
    ]
    return replace(
        moves,
        start_arrival=np.zeros_like(moves.start_arrival),
        start_cost=prices(situation) * np.array(hours),
        redeploys=np.zeros((0, 2), dtype=np.int64),
        redeploy_arrival=np.zeros((0, 1), dtype=np.int64),
        redeploy_cost=np.zeros(0),
    )
