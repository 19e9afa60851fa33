"""What a planner may be told: horizon, quantiles, prices of latency and change, and how hard to solve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from heliostat.errors import InvalidInput
from heliostat.model.names import Tier
from planning.dive import DiveStyle
from planning.highs import Limits
from planning.solve import SolveSettings

_MEDIAN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """Parameters of the receding-horizon plan.

    The first `near_steps` steps are `near_step` long, then `far_steps` of `far_step`. Interactive
    tiers are planned for a quantile of the peak minute, `level` for interactive-fast and `patient_level`
    for interactive-normal, which may wait for a minute's peak to pass; batch for the median of the mean.
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
    latency_weight: float = 0.5
    start_hours: float = 0.05
    change_hours: float = 0.05
    redeploy_hours: float = 0.05
    survive: float = 0.0
    solve: SolveSettings = field(
        default_factory=lambda: SolveSettings(
            limits=Limits(nodes=20, most_whole=60),
            styles=(DiveStyle(), DiveStyle(share=1.0, cut=0.0)),
        )
    )

    def __post_init__(self) -> None:
        if self.near_steps < 1 or self.far_steps < 0 or self.near_step <= timedelta(0):
            raise InvalidInput("planner.steps", "needs at least one near step of positive length")
        for name, level in (("level", self.level), ("patient_level", self.patient_level)):
            if not 0 < level < 1:
                raise InvalidInput(f"planner.{name}", f"{level} is not within (0, 1)")
        if not 0 <= self.survive <= 1:
            raise InvalidInput("planner.survive", f"{self.survive} is not within [0, 1]")

    @property
    def levels(self) -> Mapping[Tier, float]:
        """The quantile that each tier is planned for."""
        return {
            Tier.INTERACTIVE_FAST: self.level,
            Tier.INTERACTIVE_NORMAL: self.patient_level,
            Tier.BATCH: _MEDIAN,
        }


SHORTAGE_PRICE = {
    Tier.INTERACTIVE_FAST: 200.0,
    Tier.INTERACTIVE_NORMAL: 100.0,
    Tier.BATCH: 30.0,
}
"""Price of leaving a request unserved, in multiples of serving it on its cheapest VM: a pool is grown
for anything above about 1 % of a replica's throughput, and interactive tiers go first."""
