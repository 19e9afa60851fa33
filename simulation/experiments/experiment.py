"""An experiment: a scenario, the policies that live it, their headrooms, seeds, and what counts as equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from heliostat.errors import InvalidInput
from simulation.experiments.comparison import Contest, Point, contest
from simulation.experiments.contenders import check_policy
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import BILLED, DOLLARS, Outcome, RunFailure, RunResult
from simulation.experiments.scenes import load_scene
from simulation.experiments.spec import PolicySpec, RunSpec, SceneRef, check_headroom
from simulation.experiments.sweep import Sweep, next_headroom
from simulation.policies.registry import plugin_named
from simulation.scenarios.scenario import Scenario

COSTS = {"gpu-hours": BILLED, "dollars": DOLLARS}
"""What the cheapest setting is cheapest in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is asked. `headroom` is one value or a sweep; a policy's own headroom goes before it.

    `attainment` is the share of reachable requests that must keep their promise.
    """

    scene: SceneRef
    policies: tuple[PolicySpec, ...]
    seeds: tuple[int, ...]
    headroom: Sweep | float
    attainment: float = 0.99
    cheapest_in: str = "gpu-hours"
    engine: str = "fluid"

    def __post_init__(self) -> None:
        names = [policy.name for policy in self.policies]
        if not names or len(set(names)) != len(names):
            raise InvalidInput("policy", "needs at least one policy, each under a name of its own")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InvalidInput("seeds", "needs at least one seed, each once")
        if not 0 < self.attainment <= 1:
            raise InvalidInput("attainment", f"{self.attainment} is out of (0, 1]")
        if self.cheapest_in not in COSTS:
            raise InvalidInput("cheapest", f"must be one of {', '.join(COSTS)}")
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

    @property
    def outcomes(self) -> list[Outcome]:
        """Every run that was looked at."""
        points = [point for one in self.contests for point in one.points]
        ended: list[Outcome] = [run for point in points for run in point.results.values()]
        return ended + [failure for point in points for failure in point.failures.values()]


def conduct(experiment: Experiment, laboratory: Laboratory) -> Findings:
    """Run everything that the experiment needs. Raises InvalidInput, WorkersUnavailable.

    All policies are swept side by side, so that many runs can be under way at once.
    """
    scene = load_scene(experiment.scene)
    for policy in experiment.policies:
        check_policy(policy, scene)
    points: dict[str, list[Point]] = {policy.name: [] for policy in experiment.policies}
    while wanted := _wanted(experiment, points):
        specs = [spec for policy, headroom in wanted for spec in experiment.specs(policy, headroom)]
        outcomes = laboratory.outcomes(specs)
        for number, (policy, headroom) in enumerate(wanted):
            first = number * len(experiment.seeds)
            part = outcomes[first : first + len(experiment.seeds)]
            points[policy.name].append(_point(headroom, experiment.seeds, part))
    return _findings(experiment, scene, points)


def _wanted(
    experiment: Experiment, points: dict[str, list[Point]]
) -> list[tuple[PolicySpec, float]]:
    """The settings to run next: whole grids at once, then one refinement of each policy."""
    wanted: list[tuple[PolicySpec, float]] = []
    for policy in experiment.policies:
        had = points[policy.name]
        fixed = experiment.headroom if policy.headroom is None else policy.headroom
        if not isinstance(fixed, Sweep):
            wanted += [] if had else [(policy, fixed)]
            continue
        sweep = fixed if fixed.grid else replace(fixed, grid=plugin_named(policy.policy).sweep)
        if not had:
            wanted += [(policy, headroom) for headroom in sweep.grid]
        else:
            seen = [point.seen(experiment.cost) for point in had]
            further = next_headroom(seen, experiment.attainment, sweep)
            wanted += [] if further is None else [(policy, further)]
    return wanted


def _point(headroom: float, seeds: Sequence[int], outcomes: Sequence[Outcome]) -> Point:
    paired = list(zip(seeds, outcomes, strict=True))
    return Point(
        headroom=headroom,
        results={seed: one for seed, one in paired if isinstance(one, RunResult)},
        failures={seed: one for seed, one in paired if isinstance(one, RunFailure)},
    )


def _findings(experiment: Experiment, scene: Scenario, points: dict[str, list[Point]]) -> Findings:
    return Findings(
        experiment=experiment,
        begins=scene.begins,
        ends=scene.ends,
        said=scene.said,
        contests=tuple(
            contest(policy, points[policy.name], experiment.attainment, experiment.cost)
            for policy in experiment.policies
        ),
    )
