"""An experiment: a scenario, policies, headrooms, seeds, and the attainment at which they are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from heliostat.errors import InvalidInput
from simulation.experiments.comparison import Contest
from simulation.experiments.result import BILLED, DOLLARS, Outcome, RunResult
from simulation.experiments.spec import ENGINES, PolicySpec, RunSpec, SceneRef, check_headroom
from simulation.experiments.sweep import Sweep

COSTS = {"gpu-hours": BILLED, "dollars": DOLLARS}
"""What the cheapest setting is cheapest in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is asked. `headroom` is one value or a sweep; a policy's own headroom goes before it.

    `attainment` is the share of reachable requests that must keep their promise. With `bounds` the least
    that any policy could have spent is found too.
    """

    scene: SceneRef
    policies: tuple[PolicySpec, ...]
    seeds: tuple[int, ...]
    headroom: Sweep | float
    attainment: float = 0.99
    cheapest_in: str = "gpu-hours"
    engine: str = "fluid"
    bounds: bool = True

    def __post_init__(self) -> None:
        names = [policy.name for policy in self.policies]
        if not names or len(set(names)) != len(names):
            raise InvalidInput("policy", "needs at least one policy, each with a unique name")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InvalidInput("seeds", "needs at least one seed, without duplicates")
        if not 0 < self.attainment <= 1:
            raise InvalidInput("attainment", f"{self.attainment} is not within (0, 1]")
        if self.cheapest_in not in COSTS:
            raise InvalidInput("cheapest", f"must be one of {', '.join(COSTS)}")
        if self.engine not in ENGINES:
            raise InvalidInput(
                "engine", f"{self.engine!r} is unknown", remedy=f"engines are {', '.join(ENGINES)}"
            )
        if not isinstance(self.headroom, Sweep):
            check_headroom(self.headroom)

    @property
    def cost(self) -> str:
        """The figure that the cheapest setting is cheapest in."""
        return COSTS[self.cheapest_in]

    def specs(self, policy: PolicySpec, headroom: float) -> list[RunSpec]:
        """One run per seed; the first seed's is recorded."""
        return [
            RunSpec(
                scene=self.scene,
                policy=policy,
                headroom=headroom,
                seed=seed,
                engine=self.engine,
                recorded=seed == self.seeds[0],
            )
            for seed in self.seeds
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of an experiment; contests are in the order of its policies."""

    experiment: Experiment
    begins: datetime
    ends: datetime
    said: tuple[str, ...]
    contests: tuple[Contest, ...]
    oracle: Contest | None = None
    """The best causal policy with an oracle forecast."""
    linear: Mapping[int, Outcome] = field(default_factory=dict)
    """The linear bound by seed; a failure where the solver gave up."""

    @property
    def outcomes(self) -> list[Outcome]:
        """Every run that was simulated, the oracle's among them."""
        oracle = () if self.oracle is None else (self.oracle,)
        points = [point for one in (*self.contests, *oracle) for point in one.points]
        ended: list[Outcome] = [run for point in points for run in point.results.values()]
        return ended + [failure for point in points for failure in point.failures.values()]

    @property
    def cpu_seconds(self) -> float:
        """Of all runs together, those of the linear bound among them."""
        bounds = [run.cpu_seconds for run in self.linear.values()]
        return math.fsum([self.run_cpu_seconds, *bounds])

    @property
    def run_cpu_seconds(self) -> float:
        """Of those that serve requests."""
        return math.fsum(outcome.cpu_seconds for outcome in self.outcomes)

    @property
    def requests(self) -> int:
        """Offered in all of them together."""
        return sum(run.requests for run in self.outcomes if isinstance(run, RunResult))
