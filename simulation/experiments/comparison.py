"""What became of every policy at every setting, and the setting at which policies are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heliostat.model.latency import LatencySketch, merged
from simulation.experiments.intervals import Difference, Estimate, difference, estimate
from simulation.experiments.result import JUDGED, Record, RunFailure, RunResult
from simulation.experiments.spec import PolicySpec
from simulation.experiments.sweep import Seen, cheapest, nearest_miss


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One policy at one headroom: results and failures by seed."""

    headroom: float
    results: Mapping[int, RunResult]
    failures: Mapping[int, RunFailure] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Every seed ran to its end."""
        return not self.failures

    def by_seed(self, figure: str) -> dict[int, float | None]:
        """The figure of each seed that ran to its end."""
        return {seed: run.figures.get(figure) for seed, run in sorted(self.results.items())}

    def mean(self, figure: str) -> Estimate | None:
        """The figure's mean over the seeds, with its interval."""
        return estimate(list(self.by_seed(figure).values()))

    def latency(self, name: str) -> LatencySketch:
        """The latencies of all seeds together."""
        return merged(run.sketch(name) for run in self.results.values()) or LatencySketch()

    @property
    def record(self) -> Record | None:
        """How the first recorded seed went."""
        kept = (self.results[seed].record for seed in sorted(self.results))
        return next((record for record in kept if record is not None), None)

    def seen(self, cost: str) -> Seen:
        """What the sweep needs to know; nothing of a setting at which a seed failed."""
        attainment, spent = self.mean(JUDGED), self.mean(cost)
        known = self.whole and attainment is not None and spent is not None
        return Seen(
            headroom=self.headroom,
            attainment=attainment.mean if known and attainment else None,
            cost=spent.mean if known and spent else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One policy's whole frontier. `chosen` is the headroom that it is compared at: the cheapest that
    reaches the target, else the nearest miss; None when every setting failed."""

    policy: PolicySpec
    points: tuple[Point, ...]
    chosen: float | None
    reached: bool

    @property
    def point(self) -> Point | None:
        """The setting that it is compared at."""
        return next((point for point in self.points if point.headroom == self.chosen), None)

    @property
    def on_the_floor(self) -> bool:
        """It reaches with the least headroom tried, of several: less might do, and cost less."""
        return self.reached and len(self.points) > 1 and self.points[0].headroom == self.chosen

    @property
    def failures(self) -> list[tuple[float, int, RunFailure]]:
        """Headroom, seed and failure of every run that was broken off."""
        return [
            (point.headroom, seed, failure)
            for point in self.points
            for seed, failure in sorted(point.failures.items())
        ]


def contest(policy: PolicySpec, points: Sequence[Point], target: float, cost: str) -> Contest:
    """The frontier with its choice made."""
    ordered = tuple(sorted(points, key=lambda point: point.headroom))
    seen = [point.seen(cost) for point in ordered]
    best = cheapest(seen, target)
    chosen = best or nearest_miss(seen)
    return Contest(
        policy=policy,
        points=ordered,
        chosen=chosen.headroom if chosen else None,
        reached=best is not None,
    )


def against(ours: Contest, theirs: Contest, figure: str) -> Difference | None:
    """Our figure less theirs at the settings compared, seed by seed; None when either has none."""
    if ours.point is None or theirs.point is None:
        return None
    return difference(ours.point.by_seed(figure), theirs.point.by_seed(figure))
