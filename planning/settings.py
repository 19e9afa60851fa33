"""Planner parameters: horizon, quantiles, prices of latency and change, solver limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName, Tier
from planning.dive import DiveStyle
from planning.highs import SolveLimits
from planning.solve import SolveSettings

_MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Aim:
    """What a tier is planned for: a quantile of demand, so much of the way from mean to peak minute; a
    share above 1 lies beyond the peak."""

    level: float
    peak_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """Parameters of the receding-horizon plan.

    The first `near_steps` steps are `near_step` long, then `far_steps` of `far_step`. Interactive
    tiers are planned for a quantile of demand, so much of the way from a step's mean to its peak minute:
    `level` and `peak_share` for interactive-fast, `patient_level` and `patient_peak_share` for
    interactive-normal, which may wait for a minute's peak to pass; shares above 1 lie beyond the peak. Batch
    is planned for the median of the mean.
    `batch_yields`: batch work takes no part in peaks; pools must carry the larger of the peak of the rest
    and of all work over a step, at most `most_busy` full then. `batch_within` > 0: where the backlog is
    measured, capacity is held for batch work only as far as it would otherwise not be done that long after
    it came. `measured_counts`: what came in the last minutes bounds demand from below (`nowcast`).
    `days_apart`: days off of single regions that aggregate forecasts do not know of; on these the quantiles
    of the regions are added instead.
    The defaults are those of the careful policy of a control plane; `planning.house_policies` has the others
    (docs/decisions/0013).
    `latency_weight` is the cost of one second of round trip in multiples of serving the request on
    its cheapest VM. Start, change and redeploy costs are hours of the VM's price, on top of what is
    billed until a replica is ready. `survive` > 0 keeps that share of every other region's and the
    lost region's interactive demand servable when any one region is lost (N − 1).
    """

    near_step: timedelta = timedelta(minutes=15)
    near_steps: int = 4
    far_step: timedelta = timedelta(hours=1)
    far_steps: int = 2
    level: float = 0.9
    patient_level: float = 0.5
    peak_share: float = 1.0
    patient_peak_share: float = 1.0
    latency_weight: float = 0.5
    start_hours: float = 0.05
    change_hours: float = 0.05
    redeploy_hours: float = 0.05
    survive: float = 0.0
    batch_yields: bool = False
    most_busy: float = 0.95
    batch_within: timedelta = timedelta(0)
    measured_counts: bool = True
    days_apart: Mapping[RegionName, frozenset[date]] = field(default_factory=dict, hash=False)
    solve: SolveSettings = field(
        default_factory=lambda: SolveSettings(
            limits=SolveLimits(nodes=20, most_whole=60),
            styles=(DiveStyle(), DiveStyle(share=1.0, cut=0.0)),
        )
    )

    def __post_init__(self) -> None:
        if self.near_steps < 1 or self.far_steps < 0 or self.near_step <= timedelta(0):
            raise InvalidInput("planner.steps", "needs at least one near step of positive length")
        if self.far_steps and self.far_step <= timedelta(0):
            raise InvalidInput("planner.far_step", f"{self.far_step} is not positive")
        for name in (
            "peak_share",
            "patient_peak_share",
            "latency_weight",
            "start_hours",
            "change_hours",
            "redeploy_hours",
        ):
            factor: float = getattr(self, name)
            if not 0 <= factor < math.inf:
                raise InvalidInput(f"planner.{name}", f"{factor} is negative or not finite")
        for name, level in (("level", self.level), ("patient_level", self.patient_level)):
            if not 0 < level < 1:
                raise InvalidInput(f"planner.{name}", f"{level} is not within (0, 1)")
        for name, share in (
            ("survive", self.survive),
            ("most_busy", self.most_busy),
        ):
            if not 0 <= share <= 1:
                raise InvalidInput(f"planner.{name}", f"{share} is not within [0, 1]")
        if self.batch_within < timedelta(0):
            raise InvalidInput("planner.batch_within", f"{self.batch_within} is negative")

    @property
    def aims(self) -> Mapping[Tier, Aim]:
        """What each tier is planned for."""
        return {
            Tier.INTERACTIVE_FAST: Aim(self.level, self.peak_share),
            Tier.INTERACTIVE_NORMAL: Aim(self.patient_level, self.patient_peak_share),
            Tier.BATCH: Aim(_MEDIAN, 0.0),
        }


SHORTAGE_PRICE = {
    Tier.INTERACTIVE_FAST: 200.0,
    Tier.INTERACTIVE_NORMAL: 100.0,
    Tier.BATCH: 30.0,
}
"""Price of leaving a request unserved, in multiples of serving it on its cheapest VM: a pool is grown
for anything above about 1 % of a replica's throughput, and interactive tiers go first."""
