"""What pages want is run: a search on one seed, then all seeds, each run made once."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.evidence.carrying import Carrier, PlaceRuns
from benchmarks.evidence.making import expected_runs, settled
from benchmarks.evidence.progress import Progress
from benchmarks.evidence.wanted import Fixed, Match, rival
from heliostat.errors import InvalidInput
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import Outcome
from simulation.experiments.spec import FLUID, RunSpec
from tests.simulation.experiments.little import Pretender, a_failure, a_history, a_result

SEEDS = (1, 2, 3)
LEVEL = 0.99


def steady(spec: RunSpec) -> Outcome:
    """Keeps more and costs more with headroom; the second seed misses a third more."""
    unlucky = 1.33 if spec.seed == 2 else 1.0
    missed = 0.1 * math.exp(-6 * spec.headroom) * unlucky
    return a_result(attainment=1 - missed, billed=100 * (1 + spec.headroom))


class Bench:
    """A carrier that only pretends to run."""

    def __init__(self, folder: Path, outcome: object = steady) -> None:
        self.executor = Pretender(outcome)  # type: ignore[arg-type]  # a function of a spec
        self.said = io.StringIO()
        self.progress = Progress(2, out=self.said, stopwatch=lambda: 0.0)
        kept = RunFolder(path=folder, code="x")
        laboratory = Laboratory(self.executor, kept, self.progress)
        self.carrier = Carrier(laboratory, SEEDS, self.progress, folder=kept, engine=FLUID)

    def runs(self, folder: Path) -> PlaceRuns:
        return PlaceRuns(scene=a_history(folder))


MATCH = Match(scenario="home", policies=(rival("reactive"), rival("keda")), levels=(LEVEL, 0.97))


def test_every_level_is_reached_on_average_over_all_of_its_seeds(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    runs = bench.runs(tmp_path)
    bench.carrier.match(MATCH, runs)
    for name in ("reactive", "keda"):
        for level in MATCH.levels:
            at = runs.settings[name, level]
            (seen,) = [one for one in runs.seen(name, SEEDS) if one.headroom == at]
            assert seen.reaches(level)
            assert seen.attainment is not None
            assert 1 - seen.attainment > 0.7 * (1 - level)


def test_no_run_is_made_twice_and_few_are_made_at_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    bench.carrier.match(MATCH, bench.runs(tmp_path))
    ran = [(spec.policy.name, spec.headroom, spec.seed) for spec in bench.executor.ran]
    assert len(set(ran)) == len(ran)
    assert len(ran) <= 1.3 * expected_runs(MATCH, SEEDS)
    first_only = [one for one in ran if one[2] == 1]
    assert len(ran) - len(first_only) < 2 * len(SEEDS) * len(MATCH.levels) * 2


def test_killed_and_started_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    left = 7

    def mortal(spec: RunSpec) -> Outcome:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return steady(spec)

    first = Bench(tmp_path / "runs", mortal)
    with pytest.raises(Killed):
        first.carrier.match(MATCH, first.runs(tmp_path))
    assert first.progress.made == 7
    second = Bench(tmp_path / "runs")
    runs = second.runs(tmp_path)
    second.carrier.match(MATCH, runs)
    whole = Bench(tmp_path / "others")
    alone = whole.runs(tmp_path)
    whole.carrier.match(MATCH, alone)
    assert runs.settings == alone.settings
    assert len(second.executor.ran) == len(whole.executor.ran) - 7


def test_an_interruption_keeps_what_of_a_batch_was_finished(tmp_path: Path) -> None:
    def impatient(spec: RunSpec) -> Outcome:
        if spec.policy.name == "reactive":
            raise KeyboardInterrupt
        return steady(spec)

    bench = Bench(tmp_path / "runs", impatient)
    runs = bench.runs(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench.carrier.match(MATCH, runs)
    assert [name for name, _, _ in runs.outcomes] == ["keda"]
    assert list(runs.specs) == list(runs.outcomes)


def test_a_correction_that_changes_nothing_is_run_with_the_first_seed_alone(tmp_path: Path) -> None:
    def in_steps(spec: RunSpec) -> Outcome:
        """Whole replicas: what is kept and billed moves in steps of a tenth."""
        step = math.floor(10 * spec.headroom + 1e-9) / 10
        missed = 0.1 * math.exp(-3 * step) * (1.6 if spec.seed == 2 else 1.0)
        return a_result(attainment=1 - missed, billed=100 * (1 + step))

    bench = Bench(tmp_path / "runs", in_steps)
    runs = bench.runs(tmp_path)
    bench.carrier.match(replace(MATCH, levels=(LEVEL,)), runs)
    for name in ("reactive", "keda"):
        by_seeds = [
            math.floor(10 * spec.headroom + 1e-9)
            for spec in bench.executor.ran
            if spec.policy.name == name and spec.seed == 3
        ]
        assert len(set(by_seeds)) == len(by_seeds)


def test_side_levels_may_be_run_with_fewer_seeds(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    match = replace(MATCH, side_seeds=1)
    bench.carrier.match(match, bench.runs(tmp_path))
    all_seeds = Bench(tmp_path / "others")
    all_seeds.carrier.match(MATCH, all_seeds.runs(tmp_path))
    assert len(bench.executor.ran) < len(all_seeds.executor.ran)
    assert match.seeds_at(0.97, SEEDS) == (1,)
    assert match.seeds_at(LEVEL, SEEDS) == SEEDS
    assert replace(match, seeds=2).seeds_at(LEVEL, SEEDS) == (1, 2)


def test_bounds_are_found_at_every_level_and_the_oracle_plays_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    runs = bench.runs(tmp_path)
    bench.carrier.match(replace(MATCH, bounds=True), runs)
    assert {(n, h) for n, h, _ in runs.outcomes if n == "LP bound"} == {
        ("LP bound", LEVEL),
        ("LP bound", 0.97),
    }
    assert ("causal oracle", LEVEL) in runs.settings


def test_a_policy_that_fails_has_no_setting_and_stops_nobody(tmp_path: Path) -> None:
    def failing(spec: RunSpec) -> Outcome:
        return a_failure() if spec.policy.name == "keda" else steady(spec)

    bench = Bench(tmp_path / "runs", failing)
    runs = bench.runs(tmp_path)
    bench.carrier.match(MATCH, runs)
    assert ("reactive", LEVEL) in runs.settings
    assert ("keda", LEVEL) not in runs.settings
    assert "failed at 2026-03-02T12:30:00Z" in bench.said.getvalue()


def test_settings_may_be_searched_elsewhere_and_only_corrected_here(tmp_path: Path) -> None:
    def by_place(spec: RunSpec) -> Outcome:
        """The long scenario misses twice as much everywhere."""
        missed = 0.1 * math.exp(-6 * spec.headroom) * (2 if spec.scene.name == "long" else 1)
        return a_result(attainment=1 - missed, billed=100 * (1 + spec.headroom))

    bench = Bench(tmp_path / "runs", by_place)
    short = bench.runs(tmp_path)
    long = PlaceRuns(scene=replace(short.scene, name="long", digest=short.scene.digest + "-long"))
    match = replace(MATCH, search_on="short")
    bench.carrier.match(match, long, short)
    for name in ("reactive", "keda"):
        for level in MATCH.levels:
            at = long.settings[name, level]
            (seen,) = [one for one in long.seen(name, SEEDS) if one.headroom == at]
            assert seen.reaches(level)
    by_length = [spec.scene.name == "long" for spec in bench.executor.ran]
    # Every policy and level: the setting from elsewhere, one correction, then the other seeds.
    assert sum(by_length) <= 2 * 2 * (2 + len(SEEDS))


def test_settings_are_carried_from_one_scenario_to_another(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    runs = bench.runs(tmp_path)
    bench.carrier.match(MATCH, runs)
    away = Fixed(scenario="away", policies=(rival("keda"),), settings_from="home", curves=True)
    filled = settled(away, {"home": runs})
    assert filled.policies[0].headroom == runs.settings["keda", LEVEL]
    bench.carrier.fixed(filled, runs)
    assert all(spec.recorded for spec in bench.executor.ran[-len(SEEDS) :])
    unknown = replace(away, policies=(rival("llumnix"),))
    with pytest.raises(InvalidInput, match="no setting from home"):
        settled(unknown, {"home": runs})


def test_headrooms_must_come_from_somewhere() -> None:
    with pytest.raises(InvalidInput, match="where to take it from"):
        Fixed(scenario="away", policies=(rival("keda"),))
    with pytest.raises(InvalidInput, match="name of its own"):
        Match(scenario="home", policies=(rival("keda"), rival("keda")))
    with pytest.raises(InvalidInput, match="levels within"):
        Match(scenario="home", policies=(rival("keda"),), levels=(1.0,))


def test_progress_says_each_run_and_what_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "runs")
    bench.progress.expect("stage", "little", 30)
    bench.progress.enter("stage")
    bench.carrier.match(MATCH, bench.runs(tmp_path))
    lines = bench.said.getvalue().splitlines()
    assert lines[0] == "— stage; about 30 runs left"
    assert len(lines) == 1 + len(bench.executor.ran)
    assert all("within SLO" in line and "left" in line for line in lines[1:])


def test_a_scenario_that_was_not_run_yet_is_taken_to_cost_what_others_did_per_day() -> None:
    said = io.StringIO()
    progress = Progress(2, out=said, stopwatch=lambda: 0.0)
    progress.expect("day", "day", 1, days=1)
    progress.expect("week", "week", 10, days=7)
    progress.enter("day")
    progress.measured("day", 1, 12.0, found=False)
    # 10 runs of 7 days at 12 s a day, on two workers.
    assert "about 7 min left" in said.getvalue()
    progress.leave("day")
    progress.enter("week")
    progress.measured("week", 1, 60.0, found=False)
    assert "about 4 min left" in said.getvalue().splitlines()[-1]
    assert (progress.made, progress.runs, progress.cpu_seconds) == (2, 2, 72.0)
