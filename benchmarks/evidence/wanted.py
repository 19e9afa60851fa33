"""What a page wants: policies held equal, policies at settings of their own, and what it measures itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.evidence.ledger import Trial
from heliostat.errors import InvalidInput
from simulation.experiments.spec import PolicySpec


def rival(policy: str, name: str = "", **asked: object) -> PolicySpec:
    """A policy under a name of its own, its own name where none is given."""
    return PolicySpec(name=name or policy, policy=policy, **asked)  # type: ignore[arg-type]  # keywords of PolicySpec, checked by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Policies of which each is brought to its cheapest setting that reaches each of the levels.

    The first level is the one that verdicts rest on: it is run with the first `seeds`, the others with
    the first `side_seeds`; 0 = all. `bounds`: the linear bound and the causal oracle are found too.
    `search_on` names a shorter scenario of the same fleet and demand: settings are searched there, and
    only corrected here, where a run costs more. `corrections` = how often a setting is corrected by all
    seeds; what is left is told along the policy's slope (`equalising`).
    """

    scenario: str
    policies: tuple[PolicySpec, ...]
    levels: tuple[float, ...] = (0.99,)
    seeds: int = 0
    side_seeds: int = 0
    bounds: bool = False
    search_on: str = ""
    corrections: int = 1

    def __post_init__(self) -> None:
        if not self.policies or len({one.name for one in self.policies}) != len(self.policies):
            raise InvalidInput("policies", "a match needs policies, each under a name of its own")
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise InvalidInput("levels", "a match needs levels within (0, 1)")

    def seeds_at(self, level: float, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the seeds that are compared at that level."""
        wanted = self.seeds if level == self.levels[0] else self.side_seeds
        return seeds[:wanted] if wanted else seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Policies at the headrooms that they carry, run with every seed.

    A policy without a headroom takes the one that was found for its name on `settings_from` at the first
    level of the match there. `curves`: what happens over time is kept too.
    """

    scenario: str
    policies: tuple[PolicySpec, ...]
    settings_from: str = ""
    curves: bool = False

    def __post_init__(self) -> None:
        if not self.settings_from and any(one.headroom is None for one in self.policies):
            raise InvalidInput("policies", "a headroom, or where to take it from")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is no simulated run: `measure` makes the trials of a seed, a function of its module.

    Their `scenario` is the one named here. `said` = what the measurement assumes.
    """

    scenario: str
    measure: Callable[[int], Iterable[Trial]]
    said: tuple[str, ...] = ()


Wanted = Match | Fixed | Measured
