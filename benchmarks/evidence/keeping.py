"""From what was run to the ledger that is kept beside a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from benchmarks.evidence.carrying import PlaceRuns
from benchmarks.evidence.excerpts import curve_of, figures_of
from benchmarks.evidence.ledger import Curve, Ledger, Place, Trial
from benchmarks.evidence.page import EvidencePage
from benchmarks.evidence.wanted import Match, Measured
from simulation.experiments.result import RunFailure, RunResult
from simulation.experiments.scenes import load_scene
from simulation.workload.bursts import BurstTest

BURSTS_FROM_HOUR = BurstTest().after // timedelta(hours=1)
"""SageServe's burst test; scenarios without bursts have no use for it."""


def ledger_from(
    page: EvidencePage,
    runs: Mapping[str, PlaceRuns],
    measured: Sequence[Trial],
    seeds: Sequence[int],
    *,
    code: str,
    commit: str,
    cpu_seconds: float,
    complete: bool,
) -> Ledger:
    """Everything of the page that was run so far; `runs` is by the page's name of the scenario."""
    curves: list[Curve] = []
    trials = [trial for role, had in runs.items() for trial in _trials(role, had, code, curves)]
    return Ledger(
        page=page.name,
        code=code,
        commit=commit,
        seeds=tuple(seeds),
        cpu_seconds=cpu_seconds,
        complete=complete,
        places=(
            *(_place(page, role, had, seeds) for role, had in runs.items()),
            *_measured_places(page, measured),
        ),
        trials=(*trials, *measured),
        curves=tuple(curves),
        settled=frozenset((role, *one) for role, had in runs.items() for one in had.settled),
    )


def _measured_places(page: EvidencePage, trials: Sequence[Trial]) -> list[Place]:
    had = {trial.scenario for trial in trials}
    return [
        Place(role=one.scenario, name=one.scenario, said=one.said, days=0.0, requests=0.0)
        for one in page.wants
        if isinstance(one, Measured) and one.scenario in had
    ]


def _trials(role: str, runs: PlaceRuns, code: str, curves: list[Curve]) -> list[Trial]:
    found = []
    for (policy, headroom, seed), outcome in runs.outcomes.items():
        spec = runs.specs[policy, headroom, seed]
        trial = Trial(
            scenario=role,
            policy=policy,
            headroom=headroom,
            seed=seed,
            run=spec.key(code),
            cpu_seconds=outcome.cpu_seconds,
        )
        if isinstance(outcome, RunFailure):
            found.append(replace(trial, failure=f"{outcome.error} ({outcome.at})"))
            continue
        found.append(replace(trial, figures=figures_of(outcome, BURSTS_FROM_HOUR)))
        if outcome.record is not None and not any(
            (curve.scenario, curve.policy) == (role, policy) for curve in curves
        ):
            curves.append(curve_of(role, policy, outcome.record))
    return found


def _place(page: EvidencePage, role: str, runs: PlaceRuns, seeds: Sequence[int]) -> Place:
    scene = load_scene(runs.scene)
    ended = [run for run in runs.outcomes.values() if isinstance(run, RunResult)]
    requests = [run.requests for run in ended if run.requests]
    levels: dict[str, int] = {}
    searched_on = ""
    for match in page.wants:
        if isinstance(match, Match) and match.scenario == role:
            searched_on = match.search_on or searched_on
            for level in match.levels:
                count = len(match.seeds_at(level, tuple(seeds)))
                levels[f"{level:g}"] = max(count, levels.get(f"{level:g}", 0))
    return Place(
        role=role,
        name=scene.name,
        said=scene.said,
        days=round(scene.span.length.total_seconds() / 86_400, 3),
        requests=sum(requests) / len(requests) if requests else 0.0,
        levels=levels,
        searched_on=searched_on,
    )
