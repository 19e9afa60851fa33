"""Runs what pages want: searches settings on one seed, then runs them with all, each run made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.evidence.progress import Progress
from benchmarks.evidence.search import Search, corrected, next_headroom, setting_for
from benchmarks.evidence.wanted import Fixed, Match
from heliostat.errors import InvalidInput
from simulation.experiments.ceilings import LINEAR, ORACLE, laxest
from simulation.experiments.comparison import Point
from simulation.experiments.contenders import (
    check_policy,
    grid_of,
    least_headroom_of,
    locals_of,
)
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import BILLED, Outcome, RunFailure, RunResult
from simulation.experiments.scenes import load_scene
from simulation.experiments.spec import EVENT, PolicySpec, RunSpec, SceneRef
from simulation.experiments.sweep import Seen

_CORRECTIONS = 2
"""Of a setting, by the first seed alone where it was searched elsewhere."""
_Asked = tuple[PolicySpec, float, int]
"""A policy, its headroom and a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRuns:
    """What was run on a scenario: outcomes by policy's name, headroom and seed; bounds by level."""

    scene: SceneRef
    outcomes: dict[tuple[str, float, int], Outcome] = field(default_factory=dict)
    specs: dict[tuple[str, float, int], RunSpec] = field(default_factory=dict)
    """Which run each outcome is of."""
    settings: dict[tuple[str, float], float] = field(default_factory=dict)
    """Policy's name and level → the setting that was chosen last."""
    settled: set[tuple[str, float]] = field(default_factory=set)
    """Policy's name and level of every search that has ended, all its seeds run."""

    def enter(self, name: str, headroom: float, spec: RunSpec, outcome: Outcome) -> None:
        """Book what became of a run; a bound's headroom is its level."""
        at = name, headroom, spec.seed
        self.outcomes[at], self.specs[at] = outcome, spec

    def points(self, name: str, seeds: Sequence[int]) -> list[Point]:
        """The settings that were run with all of these seeds."""
        headrooms = sorted({h for policy, h, _ in self.outcomes if policy == name})
        found = []
        for headroom in headrooms:
            by_seed = {s: self.outcomes.get((name, headroom, s)) for s in seeds}
            if all(outcome is not None for outcome in by_seed.values()):
                found.append(_point(headroom, by_seed))
        return found

    def seen(self, name: str, seeds: Sequence[int]) -> list[Seen]:
        """The same, as searches need it."""
        return [point.seen(BILLED) for point in self.points(name, seeds)]


class Carrier:
    """Carries out what is wanted through a laboratory, which keeps every finished run in `folder`."""

    def __init__(
        self,
        laboratory: Laboratory,
        seeds: Sequence[int],
        progress: Progress,
        *,
        folder: RunFolder,
        engine: str = EVENT,
    ) -> None:
        if not seeds:
            raise InvalidInput("seeds", "needs at least one seed")
        self._laboratory, self._seeds, self._progress = laboratory, tuple(seeds), progress
        self._folder, self._engine = folder, engine

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those that policies are compared over."""
        return self._seeds

    def match(self, wanted: Match, runs: PlaceRuns, elsewhere: PlaceRuns | None = None) -> None:
        """Bring every policy to its settings, searched `elsewhere` if given.

        Raises what the laboratory raises.
        """
        scene = load_scene(runs.scene)
        for policy in wanted.policies:
            check_policy(policy, scene)
        policies = (*wanted.policies, *((ORACLE,) if wanted.bounds else ()))
        for level in wanted.levels:
            self._search(policies, level, elsewhere or runs)
        for level in wanted.levels:
            first, all_seeds = self._seeds[:1], wanted.seeds_at(level, self._seeds)
            if elsewhere is not None and len(all_seeds) > 1:
                self._settle(policies, level, first, runs, elsewhere, _CORRECTIONS)
            self._settle(policies, level, all_seeds, runs, elsewhere, wanted.corrections)
            runs.settled.update((policy.name, level) for policy in policies)
        if wanted.bounds:
            self._bounds(wanted, runs)

    def fixed(self, wanted: Fixed, runs: PlaceRuns) -> None:
        """Run every policy at its headroom with every seed."""
        scene = load_scene(runs.scene)
        asked: list[_Asked] = []
        for policy in wanted.policies:
            check_policy(policy, scene)
            assert policy.headroom is not None, "whoever asks fills headrooms in"
            asked += [(policy, policy.headroom, seed) for seed in self._seeds]
        self._run(asked, runs, recorded=wanted.curves)

    def _search(self, policies: Iterable[PolicySpec], level: float, runs: PlaceRuns) -> None:
        """On the first seed, all policies side by side."""
        first = self._seeds[:1]
        searches = {policy: _search_of(policy) for policy in policies}
        while asked := [
            (policy, headroom, first[0])
            for policy, search in searches.items()
            if (headroom := next_headroom(runs.seen(policy.name, first), level, search)) is not None
        ]:
            self._run(asked, runs)

    def _settle(
        self,
        policies: Iterable[PolicySpec],
        level: float,
        seeds: Sequence[int],
        runs: PlaceRuns,
        elsewhere: PlaceRuns | None,
        corrections: int,
    ) -> None:
        """With these seeds, corrected so often where their mean is off what the search showed."""
        trying = {policy: self._first_try(policy, level, runs, elsewhere) for policy in policies}
        for left in range(corrections, -1, -1):
            asked = [(p, h, s) for p, h in trying.items() if h is not None for s in seeds]
            self._run(asked, runs)
            if not left:
                break
            stood = {
                policy: headroom for policy, headroom in trying.items() if headroom is not None
            }
            trying = {
                policy: self._correction(policy, headroom, level, seeds, runs, elsewhere)
                for policy, headroom in stood.items()
            }
            self._drop_what_changes_nothing(trying, stood, runs)
        for policy in policies:
            found = setting_for(runs.seen(policy.name, seeds), level)
            if found is not None:
                runs.settings[policy.name, level] = found

    def _drop_what_changes_nothing(
        self,
        trying: dict[PolicySpec, float | None],
        stood: Mapping[PolicySpec, float],
        runs: PlaceRuns,
    ) -> None:
        """Replicas are whole: another headroom may be the same fleet. The first seed alone tells."""
        first = self._seeds[0]
        self._run([(p, h, first) for p, h in trying.items() if h is not None], runs)
        for policy, headroom in trying.items():
            if headroom is None:
                continue
            seen = {one.headroom: one for one in runs.seen(policy.name, (first,))}
            now, before = seen[headroom], seen[stood[policy]]
            if (now.attainment, now.cost) == (before.attainment, before.cost):
                trying[policy] = None

    def _first_try(
        self, policy: PolicySpec, level: float, runs: PlaceRuns, elsewhere: PlaceRuns | None
    ) -> float | None:
        """Where the first seed stands here, else where it stood elsewhere."""
        if elsewhere is None or (policy.name, level) in runs.settings:
            return setting_for(runs.seen(policy.name, self._seeds[:1]), level)
        return setting_for(elsewhere.seen(policy.name, self._seeds[:1]), level)

    def _correction(
        self,
        policy: PolicySpec,
        headroom: float,
        level: float,
        seeds: Sequence[int],
        runs: PlaceRuns,
        elsewhere: PlaceRuns | None,
    ) -> float | None:
        """A setting not yet run with these seeds; None when none is worth it."""
        searched = (elsewhere or runs).seen(policy.name, self._seeds[:1])
        curve = [one for one in searched if one.attainment is not None]
        here = {one.headroom: one for one in runs.seen(policy.name, seeds)}
        found = corrected(curve, here[headroom], level, _search_of(policy))
        return None if found in here else found

    def _bounds(self, wanted: Match, runs: PlaceRuns) -> None:
        scene = load_scene(runs.scene)
        locals_ = locals_of(wanted.policies, scene)
        for level in wanted.levels:
            terms = laxest(locals_, self._engine, level)
            seeds = wanted.seeds_at(level, self._seeds)
            specs = [
                replace(self._spec(runs.scene, LINEAR, 0.0, seed), bound=terms) for seed in seeds
            ]
            for spec, outcome in zip(specs, self._laboratory.outcomes(specs), strict=True):
                runs.enter(LINEAR.name, level, spec, outcome)

    def _run(self, asked: Sequence[_Asked], runs: PlaceRuns, *, recorded: bool = False) -> None:
        specs = [self._spec(runs.scene, *one, recorded=recorded) for one in asked]
        try:
            outcomes: Sequence[Outcome | None] = self._laboratory.outcomes(specs)
        except KeyboardInterrupt:
            _book(specs, map(self._folder.find, specs), runs)
            raise
        _book(specs, outcomes, runs)

    def _spec(
        self,
        scene: SceneRef,
        policy: PolicySpec,
        headroom: float,
        seed: int,
        *,
        recorded: bool = False,
    ) -> RunSpec:
        return RunSpec(
            scene=scene,
            policy=policy,
            headroom=headroom,
            seed=seed,
            engine=self._engine,
            recorded=recorded,
        )


def _book(specs: Iterable[RunSpec], outcomes: Iterable[Outcome | None], runs: PlaceRuns) -> None:
    """What has an outcome; the rest was not reached."""
    for spec, outcome in zip(specs, outcomes, strict=True):
        if outcome is not None:
            runs.enter(spec.policy.name, spec.headroom, spec, outcome)


def _search_of(policy: PolicySpec) -> Search:
    return Search(grid=grid_of(policy), least=least_headroom_of(policy))


def _point(headroom: float, by_seed: dict[int, Outcome | None]) -> Point:
    return Point(
        headroom=headroom,
        results={s: run for s, run in by_seed.items() if isinstance(run, RunResult)},
        failures={s: run for s, run in by_seed.items() if isinstance(run, RunFailure)},
    )
