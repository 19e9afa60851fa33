"""Makes one page: every stage it wants is run, and the page written again after each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from benchmarks.evidence.carrying import Carrier, PlaceRuns
from benchmarks.evidence.checkout import Checkout
from benchmarks.evidence.keeping import ledger_from
from benchmarks.evidence.ledger import Trial
from benchmarks.evidence.measured import Measurements
from benchmarks.evidence.page import EvidencePage
from benchmarks.evidence.progress import Progress
from benchmarks.evidence.scale import Scale
from benchmarks.evidence.wanted import Fixed, Match, Measured, Wanted
from benchmarks.evidence.writing import write_ledger, write_page
from heliostat.errors import InvalidInput
from simulation.experiments.scenes import load_scene

_DAY = timedelta(days=1)
_SEARCH_RUNS, _CORRECTION_SHARE = 4.0, 0.8
"""What a policy needs on average to find a level on one seed, and over all seeds after the first try."""


@dataclass(slots=True, kw_only=True)
class Maker:
    """Makes a page, once. `runs` fills up, by the page's name of each scenario."""

    page: EvidencePage
    carrier: Carrier
    scale: Scale
    progress: Progress
    checkout: Checkout
    out: Path
    measurements: Measurements
    runs: dict[str, PlaceRuns] = field(default_factory=dict)
    measured: list[Trial] = field(default_factory=list)
    _before: float = 0.0

    def expect(self) -> None:
        """Tell the progress what may be needed. Raises what scenarios raise."""
        for stage, wanted in self._stages().items():
            name, days = self._place(wanted)
            self.progress.expect(stage, name, expected_runs(wanted, self.carrier.seeds), days)

    def make(self) -> Path:
        """Run what is missing and write the page.

        Raises what runs and scenarios raise, and InvalidInput when the code changed meanwhile.
        Interrupted, it writes what there is.
        """
        self._before = self.progress.cpu_seconds
        try:
            for stage, wanted in self._stages().items():
                self._run(stage, wanted)
                self._write(complete=False)
        except KeyboardInterrupt:
            if self.measured or any(had.outcomes for had in self.runs.values()):
                self._write(complete=False)
            raise
        return self._write(complete=True)

    def _stages(self) -> dict[str, Wanted]:
        """By the name that the progress calls them."""
        wants = self.page.wants
        return {
            f"{self.page.name} {number}/{len(wants)}, {wanted.scenario}": wanted
            for number, wanted in enumerate(wants, start=1)
        }

    def _place(self, wanted: Wanted) -> tuple[str, float]:
        """Which scenario, and how many days a run of it simulates."""
        if isinstance(wanted, Measured):
            return wanted.scenario, 1.0
        scene = load_scene(self.scale.scene(wanted.scenario))
        return scene.name, scene.span.length / _DAY

    def _run(self, name: str, wanted: Wanted) -> None:
        self.progress.enter(name)
        if isinstance(wanted, Measured):
            self._measure(name, wanted)
        elif isinstance(wanted, Fixed):
            self.carrier.fixed(settled(wanted, self.runs), self._at(wanted.scenario))
        else:
            self.carrier.match(wanted, self._at(wanted.scenario), self._elsewhere(wanted))
        self.progress.leave(name)
        self.checkout.check()

    def _measure(self, name: str, wanted: Measured) -> None:
        for seed in self.carrier.seeds:
            trials, spent, found = self.measurements.trials(wanted, seed)
            self.measured += trials
            self.progress.measured(name, seed, spent, found=found)

    def _at(self, role: str) -> PlaceRuns:
        return self.runs.setdefault(role, PlaceRuns(scene=self.scale.scene(role)))

    def _elsewhere(self, wanted: Match) -> PlaceRuns | None:
        """Where settings are searched; None = where they are run."""
        role = wanted.search_on
        if not role or self.scale.scene(role) == self.scale.scene(wanted.scenario):
            return None
        return self._at(role)

    def _write(self, *, complete: bool) -> Path:
        ledger = ledger_from(
            self.page,
            self.runs,
            self.measured,
            self.carrier.seeds,
            code=self.checkout.code,
            commit=self.checkout.commit,
            cpu_seconds=self.progress.cpu_seconds - self._before,
            complete=complete,
        )
        write_ledger(ledger, self.out)
        return write_page(self.page, ledger, self.out)


def settled(wanted: Fixed, runs: dict[str, PlaceRuns]) -> Fixed:
    """The same with every headroom filled in. Raises InvalidInput where none was found."""
    if not wanted.settings_from:
        return wanted
    found = runs[wanted.settings_from].settings
    policies = []
    for policy in wanted.policies:
        at = next((h for (name, _), h in found.items() if name == policy.name), None)
        headroom = policy.headroom if policy.headroom is not None else at
        if headroom is None:
            raise InvalidInput(
                policy.name,
                f"has no setting from {wanted.settings_from}",
                remedy="let it play there",
            )
        policies.append(replace(policy, headroom=headroom))
    return replace(wanted, policies=tuple(policies))


def expected_runs(wanted: Wanted, seeds: tuple[int, ...]) -> float:
    """About how many runs a stage needs, for the time left."""
    if isinstance(wanted, Measured):
        return float(len(seeds))
    if isinstance(wanted, Fixed):
        return float(len(wanted.policies) * len(seeds))
    seed_counts = [len(wanted.seeds_at(level, seeds)) for level in wanted.levels]
    corrected = sum(count * (1 + _CORRECTION_SHARE) for count in seed_counts)
    per_policy = _SEARCH_RUNS + (len(seed_counts) - 1) + corrected
    bounds = sum(seed_counts) if wanted.bounds else 0
    return (len(wanted.policies) + wanted.bounds) * per_policy + bounds
