"""Carries an experiment out: whole grids at once, then a refinement of each policy, then the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulation.experiments.ceilings import LINEAR, ORACLE, laxest
from simulation.experiments.comparison import Contest, Point, contest
from simulation.experiments.contenders import check_policy, grid_of, locals_of, unused_said
from simulation.experiments.engines import check_engine, engine_said
from simulation.experiments.experiment import Experiment, Findings
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import Outcome, RunFailure, RunResult
from simulation.experiments.scenes import load_scene
from simulation.experiments.spec import PolicySpec, RunSpec
from simulation.experiments.sweep import Sweep, next_headroom
from simulation.scenarios.scenario import Scenario


def conduct(experiment: Experiment, laboratory: Laboratory) -> Findings:
    """Run everything that the experiment needs. Raises InvalidInput, WorkersUnavailable.

    All policies are swept side by side, so that many runs can be under way at once.
    """
    scene = load_scene(experiment.scene)
    fixed = None if isinstance(experiment.headroom, Sweep) else experiment.headroom
    for policy in experiment.policies:
        check_policy(policy, scene, fixed)
    check_engine(experiment.engine, scene)
    contests = _swept(experiment, laboratory)
    linear = laboratory.outcomes(_bound_specs(experiment, scene))
    return Findings(
        experiment=experiment,
        begins=scene.begins,
        ends=scene.ends,
        said=(
            *scene.said,
            *_past_said(scene),
            *engine_said(experiment.engine, scene, experiment.policies),
            *unused_said(experiment.policies, scene),
            *_unbounded_said(experiment.seeds, linear),
        ),
        contests=tuple(contests[: len(experiment.policies)]),
        oracle=contests[-1] if experiment.bounds else None,
        linear=dict(zip(experiment.seeds, linear, strict=False)),
    )


def _unbounded_said(seeds: Sequence[int], linear: Sequence[Outcome]) -> tuple[str, ...]:
    return tuple(
        f"The LP bound of seed {seed} was not found: {one.error}."
        for seed, one in zip(seeds, linear, strict=False)
        if isinstance(one, RunFailure)
    )


def _past_said(scene: Scenario) -> tuple[str, ...]:
    if scene.history:
        return ()
    return ("There is no history: forecasts start without training data.",)


def first_runs(experiment: Experiment) -> list[RunSpec]:
    """What is run before anything is known: every policy's grid, and the causal oracle's."""
    points: dict[PolicySpec, list[Point]] = {policy: [] for policy in _contenders(experiment)}
    return _specs(experiment, _wanted(experiment, points))


def _contenders(experiment: Experiment) -> tuple[PolicySpec, ...]:
    return (*experiment.policies, *((ORACLE,) if experiment.bounds else ()))


def _specs(experiment: Experiment, wanted: Sequence[tuple[PolicySpec, float]]) -> list[RunSpec]:
    return [spec for policy, headroom in wanted for spec in experiment.specs(policy, headroom)]


def _swept(experiment: Experiment, laboratory: Laboratory) -> list[Contest]:
    policies = _contenders(experiment)
    points: dict[PolicySpec, list[Point]] = {policy: [] for policy in policies}
    while wanted := _wanted(experiment, points):
        outcomes = laboratory.outcomes(_specs(experiment, wanted))
        for number, (policy, headroom) in enumerate(wanted):
            first = number * len(experiment.seeds)
            part = outcomes[first : first + len(experiment.seeds)]
            points[policy].append(_point(headroom, experiment.seeds, part))
    return [
        contest(policy, points[policy], experiment.attainment, experiment.cost)
        for policy in policies
    ]


def _wanted(
    experiment: Experiment, points: dict[PolicySpec, list[Point]]
) -> list[tuple[PolicySpec, float]]:
    """The settings to run next: whole grids at once, then one refinement of each policy."""
    wanted: list[tuple[PolicySpec, float]] = []
    for policy, had in points.items():
        asked = Sweep() if policy == ORACLE else experiment.headroom
        fixed = asked if policy.headroom is None else policy.headroom
        if not isinstance(fixed, Sweep):
            wanted += [] if had else [(policy, fixed)]
            continue
        sweep = fixed if fixed.grid else replace(fixed, grid=grid_of(policy))
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


def _bound_specs(experiment: Experiment, scene: Scenario) -> list[RunSpec]:
    """One per seed; none where bounds were not asked for."""
    if not experiment.bounds:
        return []
    locals_ = locals_of(experiment.policies, scene)
    if not locals_:
        return []
    terms = laxest(locals_, experiment.engine, experiment.attainment)
    return [replace(spec, bound=terms, recorded=False) for spec in experiment.specs(LINEAR, 0.0)]
