"""From settings to a comparison, with runs that are only pretended."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import HeliostatError, InvalidInput
from simulation.experiments.comparison import against
from simulation.experiments.conducting import conduct
from simulation.experiments.experiment import Experiment, Findings
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import Outcome, RunResult
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import PolicySpec, RunSpec, SceneRef
from simulation.experiments.sweep import Sweep
from simulation.policies.registry import plugin_named
from tests.simulation.experiments.little import (
    HELIOSTAT,
    REACTIVE,
    Pretender,
    a_failure,
    a_history,
    a_result,
    an_experiment,
)

SWEEP = Sweep(grid=(0.0, 0.15, 0.3, 0.6, 1.2))


@pytest.fixture
def scene(tmp_path: Path) -> SceneRef:
    return a_history(tmp_path)


def needs(threshold: float) -> Callable[[RunSpec], Outcome]:
    """99 % is kept from that headroom on; each seed costs a little more than the one before."""

    def outcome(spec: RunSpec) -> Outcome:
        kept = 0.995 if spec.headroom >= threshold else 0.98
        return a_result(attainment=kept, billed=100 * (1 + spec.headroom) + spec.seed)

    return outcome


def found(experiment: Experiment, outcome: Callable[[RunSpec], Outcome]) -> Findings:
    return conduct(experiment, Laboratory(Pretender(outcome), RunFolder(path=None, code="code")))


def test_every_policy_is_compared_at_its_own_cheapest_setting_that_reaches(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        return needs(0.1 if spec.policy == HELIOSTAT else 0.8)(spec)

    ours, theirs = found(an_experiment(scene, headroom=SWEEP), outcome).contests
    assert ours.reached
    assert theirs.reached
    assert ours.chosen is not None
    assert theirs.chosen is not None
    assert 0.1 <= ours.chosen <= 0.15
    assert 0.8 <= theirs.chosen <= 0.9
    billed = against(ours, theirs, "gpu_hours_billed")
    assert billed is not None
    assert billed.estimate.mean == pytest.approx(100 * (ours.chosen - theirs.chosen))
    assert billed.excludes_zero


def test_all_points_of_the_frontier_stay(scene: SceneRef) -> None:
    (one, _) = found(an_experiment(scene, headroom=SWEEP), needs(0.2)).contests
    headrooms = [point.headroom for point in one.points]
    assert headrooms == sorted(headrooms)
    assert len(headrooms) > len(SWEEP.grid)
    assert all(sorted(point.results) == [1, 2] for point in one.points)


def test_a_policy_that_never_reaches_is_reported_at_its_nearest_miss(scene: SceneRef) -> None:
    one, _ = found(an_experiment(scene, headroom=SWEEP), needs(99.0)).contests
    assert not one.reached
    assert one.chosen == 0.0  # all attain the same, so the cheapest
    assert one.point is not None


def test_a_policy_that_fails_keeps_the_others_in_the_report(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        return a_failure() if spec.policy == HELIOSTAT else needs(0.2)(spec)

    ours, theirs = found(an_experiment(scene, headroom=SWEEP), outcome).contests
    assert ours.chosen is None
    assert ours.point is None
    assert {seed for _, seed, _ in ours.failures} == {1, 2}
    assert theirs.reached
    assert against(ours, theirs, "gpu_hours_billed") is None


def test_a_setting_at_which_one_seed_fails_is_not_chosen(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        return a_failure() if (spec.headroom, spec.seed) == (0.3, 2) else needs(0.2)(spec)

    one, _ = found(an_experiment(scene, headroom=SWEEP), outcome).contests
    assert one.chosen is not None
    assert one.chosen > 0.3
    assert [(headroom, seed) for headroom, seed, _ in one.failures] == [(0.3, 2)]


def test_one_headroom_is_one_point_and_a_policys_own_goes_before_it(scene: SceneRef) -> None:
    own = PolicySpec(name="own", policy="reactive", headroom=0.7)
    one, other = found(an_experiment(scene, policies=(REACTIVE, own)), needs(0.6)).contests
    assert [point.headroom for point in one.points] == [0.5]
    assert not one.reached
    assert [point.headroom for point in other.points] == [0.7]
    assert other.reached


def test_a_headroom_that_a_policy_cannot_hold_is_refused_before_any_run(scene: SceneRef) -> None:
    """SageServe's programme may cover less than the peak; a full replica cannot be fuller."""
    pretender = Pretender(needs(0.2))
    laboratory = Laboratory(pretender, RunFolder(path=None, code="code"))
    programme = PolicySpec(name="lt-i", policy="lt-i")
    with pytest.raises(InvalidInput, match="reactive cannot hold"):
        conduct(an_experiment(scene, policies=(programme, REACTIVE), headroom=-0.1), laboratory)
    assert not pretender.ran
    conduct(an_experiment(scene, policies=(programme,), headroom=-0.1, bounds=False), laboratory)
    assert {spec.headroom for spec in pretender.ran} == {-0.1}


@pytest.mark.parametrize("field", ["order", "dispatch", "prefill"])
def test_what_no_engine_does_is_refused_before_any_run(scene: SceneRef, field: str) -> None:
    pretender = Pretender(needs(0.2))
    odd = replace(REACTIVE, **{field: "sideways"})  # type: ignore[arg-type]  # one of its three words
    with pytest.raises(InvalidInput, match=f"{field}: 'sideways' is unknown; known: "):
        conduct(
            an_experiment(scene, policies=(odd,)),
            Laboratory(pretender, RunFolder(path=None, code="code")),
        )
    assert not pretender.ran


@pytest.mark.parametrize(("before", "said"), [(0, True), (60, False)])
def test_that_nothing_is_known_from_before_is_assumed_aloud(
    tmp_path: Path, before: int, said: bool
) -> None:
    assumed = found(an_experiment(a_history(tmp_path, before=before)), needs(0.2)).said
    assert any(one.startswith("There is no history") for one in assumed) is said


def test_only_the_first_seed_is_recorded(scene: SceneRef) -> None:
    pretender = Pretender(needs(0.2))
    conduct(an_experiment(scene), Laboratory(pretender, RunFolder(path=None, code="code")))
    assert {spec.seed for spec in pretender.ran if spec.recorded} == {1}
    assert {spec.seed for spec in pretender.ran} == {1, 2}


def test_the_cheapest_may_be_cheapest_in_dollars(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        return a_result(billed=100 + spec.headroom, cost_dollars=100 - spec.headroom)

    by_hours = found(an_experiment(scene, headroom=SWEEP), outcome).contests[0]
    dollars = an_experiment(scene, headroom=SWEEP, cheapest_in="dollars")
    by_dollars = found(dollars, outcome).contests[0]
    assert by_hours.chosen == 0.0
    assert by_dollars.chosen == 1.2


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"policies": ()}, "policy"),
        ({"policies": (REACTIVE, REACTIVE)}, "unique name"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"attainment": 0.0}, "attainment"),
        ({"attainment": 1.01}, "attainment"),
        ({"cheapest_in": "euros"}, "gpu-hours"),
        ({"headroom": -1.0}, "headroom"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    scene: SceneRef, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(InvalidInput, match=word):
        an_experiment(scene, **changes)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"policy": "magic"}, "magic.*heliostat"),
        ({"forecaster": "tea-leaves"}, "tea-leaves.*oracle"),
        ({"router": "random"}, "random.*nearest"),
        ({"order": "lifo"}, "lifo.*fcfs"),
        ({"guardrails": (("z", 1.0),)}, "'z'.*largest_step_out"),
        ({"guardrails": (("largest_step_in", -1.0),)}, "negative"),
    ],
)
def test_a_policy_that_cannot_be_made_is_refused_before_anything_runs(
    scene: SceneRef, changes: dict[str, Any], word: str
) -> None:
    pretender = Pretender(needs(0.2))
    policies = (replace(REACTIVE, **changes),)
    with pytest.raises(HeliostatError, match=word):
        conduct(
            an_experiment(scene, policies=policies),
            Laboratory(pretender, RunFolder(path=None, code="code")),
        )
    assert pretender.ran == []


def test_without_a_grid_each_policy_is_swept_over_its_own(scene: SceneRef) -> None:
    ours, theirs = found(an_experiment(scene, headroom=Sweep()), needs(0.0)).contests
    assert tuple(point.headroom for point in ours.points) == plugin_named("heliostat").sweep
    assert tuple(point.headroom for point in theirs.points) == plugin_named("reactive").sweep


# --- the laboratory -------------------------------------------------------------------------


class Heard:
    def __init__(self) -> None:
        self.runs, self.marks, self.found, self.made = 0, 0, 0, 0

    def asked(self, runs: int) -> None:
        self.runs += runs

    def marked(self, spec: RunSpec, mark: Mark) -> None:
        self.marks += 1

    def done(self, spec: RunSpec, outcome: Outcome, *, found: bool) -> None:
        self.found += found
        self.made += not found


def test_what_was_finished_before_is_not_run_again(scene: SceneRef, tmp_path: Path) -> None:
    experiment, pretender, heard = an_experiment(scene), Pretender(needs(0.2)), Heard()
    first = conduct(experiment, Laboratory(pretender, RunFolder(path=tmp_path, code="code")))
    assert len(pretender.ran) == 4
    laboratory = Laboratory(pretender, RunFolder(path=tmp_path, code="code"), heard)
    assert conduct(experiment, laboratory) == first
    assert len(pretender.ran) == 4
    assert (heard.runs, heard.found, heard.made, heard.marks) == (4, 4, 0, 0)


def test_more_seeds_later_run_only_the_new_ones(scene: SceneRef, tmp_path: Path) -> None:
    pretender = Pretender(needs(0.2))
    for seeds in ((1,), (1, 2, 3)):
        conduct(
            an_experiment(scene, seeds=seeds),
            Laboratory(pretender, RunFolder(path=tmp_path, code="code")),
        )
    assert sorted((s.policy.name, s.seed) for s in pretender.ran) == [
        (name, seed) for name in ("heliostat", "reactive") for seed in (1, 2, 3)
    ]


class Killed(Exception):
    pass


def test_a_killed_experiment_goes_on_where_it_was(scene: SceneRef, tmp_path: Path) -> None:
    ran = 0

    def dies(spec: RunSpec) -> Outcome:
        nonlocal ran
        ran += 1
        if ran == 3:
            raise Killed
        return needs(0.2)(spec)

    experiment = an_experiment(scene, headroom=SWEEP)
    with pytest.raises(Killed):
        conduct(experiment, Laboratory(Pretender(dies), RunFolder(path=tmp_path, code="code")))
    pretender = Pretender(needs(0.2))
    resumed = conduct(experiment, Laboratory(pretender, RunFolder(path=tmp_path, code="code")))
    whole = found(experiment, needs(0.2))
    assert resumed == whole
    assert len(pretender.ran) == len(whole.outcomes) - 2


def test_policies_that_differ_in_name_alone_share_their_runs(scene: SceneRef) -> None:
    pretender = Pretender(needs(0.2))
    twins = (REACTIVE, PolicySpec(name="twin", policy="reactive"))
    findings = conduct(
        an_experiment(scene, policies=twins),
        Laboratory(pretender, RunFolder(path=None, code="code")),
    )
    assert len(pretender.ran) == 2
    assert findings.contests[0].points == findings.contests[1].points


def test_bounds_are_found_beside_the_policies_where_they_are_asked_for(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        if spec.bound is not None:
            assert spec.bound.attainment == 0.99
            return RunResult(figures={"lp_gpu_hours": 70.0}, requests=0, cpu_seconds=0.1)
        return needs(0.3)(spec)

    findings = found(an_experiment(scene, bounds=True), outcome)
    assert [one.policy for one in findings.contests] == [HELIOSTAT, REACTIVE]
    assert findings.oracle is not None
    assert findings.oracle.reached
    assert findings.oracle.chosen is not None
    assert 0.3 <= findings.oracle.chosen <= 0.4
    assert {seed: run.figures["lp_gpu_hours"] for seed, run in findings.linear.items()} == {
        1: 70.0,
        2: 70.0,
    }


def test_without_bounds_nothing_more_is_run(scene: SceneRef) -> None:
    pretender = Pretender(needs(0.2))
    findings = conduct(
        an_experiment(scene), Laboratory(pretender, RunFolder(path=None, code="code"))
    )
    assert findings.oracle is None
    assert findings.linear == {}
    assert {spec.policy for spec in pretender.ran} == {HELIOSTAT, REACTIVE}


def test_a_bound_that_is_not_found_is_said_and_ends_nothing(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        if spec.bound is not None and spec.seed == 1:
            return replace(
                a_failure(), error="the solver ended without an optimum: Time limit reached"
            )
        return needs(0.3)(spec)

    findings = found(an_experiment(scene, bounds=True), outcome)
    assert [seed for seed, run in findings.linear.items() if run.figures] == [2]
    assert findings.contests[0].reached
    assert (
        "The LP bound of seed 1 was not found: the solver ended without an optimum: Time limit reached."
        in findings.said
    )


def test_a_forecaster_that_a_policy_never_asks_is_said_to_change_nothing(scene: SceneRef) -> None:
    policies = tuple(
        PolicySpec(name=name, policy=name, forecaster="naive") for name in ("heliostat", "reactive")
    )
    said = found(an_experiment(scene, policies=policies), needs(0.3)).said
    assert [one for one in said if "looks at no forecast" in one] == [
        "reactive looks at no forecast: the forecaster naive changes nothing about it."
    ]
    own = found(an_experiment(scene), needs(0.3)).said
    assert not [one for one in own if "looks at no forecast" in one]


def test_cpu_seconds_are_those_of_all_runs_the_bounds_too(scene: SceneRef) -> None:
    def outcome(spec: RunSpec) -> Outcome:
        return replace(needs(0.3)(spec), cpu_seconds=100.0 if spec.bound is not None else 1.0)

    findings = found(an_experiment(scene, bounds=True), outcome)
    assert findings.cpu_seconds == len(findings.outcomes) + 2 * 100.0
    assert findings.run_cpu_seconds == len(findings.outcomes)
