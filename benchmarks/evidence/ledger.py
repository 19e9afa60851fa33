"""What was run for a page, small enough to be kept beside it: a row of figures per run.

Pages are rendered from a ledger alone, so that prose may be mended and pictures redrawn without
running anything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulation.experiments.comparison import Point
from simulation.experiments.result import RunFailure, RunResult

SCHEMA = 1
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run: its figures by name (None = not measured), or what the policy broke it off with.

    `run` names all that determines it, the code included; "" = it cannot be taken up from here.
    """

    scenario: str
    policy: str
    headroom: float
    seed: int
    figures: Mapping[str, float | None] = field(default_factory=dict)
    failure: str = ""
    run: str = ""
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A run over time, in GPUs: need that was met, ready, coming or going. Steps of so many seconds."""

    scenario: str
    policy: str
    step_seconds: int
    busy: tuple[float, ...]
    ready: tuple[float, ...]
    overhead: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A scenario of the page: which one stood for it, what it assumes, what the seeds were."""

    role: str
    """What the page calls it."""
    name: str
    """What was run."""
    said: tuple[str, ...]
    days: float
    requests: float
    """Per run, on average."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """Level of attainment ("0.99") → how many seeds were compared at it, at most."""
    searched_on: str = ""
    """The place on which settings were searched; "" = here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Everything that a page says rests on this. `complete` = nothing that was wanted is missing."""

    page: str
    code: str
    """Fingerprint of the code that made the runs."""
    commit: str
    seeds: tuple[int, ...]
    cpu_seconds: float
    complete: bool
    places: tuple[Place, ...]
    trials: tuple[Trial, ...]
    curves: tuple[Curve, ...] = ()
    settled: frozenset[tuple[str, str, float]] = frozenset()
    """Scenario, policy and level of every search that has ended, all its seeds run."""

    def place(self, role: str) -> Place | None:
        """The scenario of that role; None when nothing was run there."""
        return next((place for place in self.places if place.role == role), None)

    def points(self, role: str, policy: str, seeds: int = 0) -> list[Point]:
        """What became of a policy there, by headroom: settings that were run with the first so many seeds.

        0 = whatever was run.
        """
        wanted = set(self.seeds[:seeds])
        by_headroom: dict[float, list[Trial]] = {}
        for trial in self.trials:
            if (trial.scenario, trial.policy) == (role, policy):
                by_headroom.setdefault(trial.headroom, []).append(trial)
        return [
            _point(headroom, [t for t in trials if not wanted or t.seed in wanted])
            for headroom, trials in sorted(by_headroom.items())
            if wanted <= {trial.seed for trial in trials}
        ]

    def most_seeds(self, role: str, policy: str) -> int:
        """With how many of the first seeds a setting of that policy was run there, at most."""
        seeds = range(1, len(self.seeds) + 1)
        return max((count for count in seeds if self.points(role, policy, count)), default=0)


def _point(headroom: float, trials: Iterable[Trial]) -> Point:
    results: dict[int, RunResult] = {}
    failures: dict[int, RunFailure] = {}
    for trial in trials:
        if trial.failure:
            failures[trial.seed] = RunFailure(at="", error=trial.failure, where="")
        else:
            results[trial.seed] = RunResult(figures=trial.figures, requests=0, cpu_seconds=0.0)
    return Point(headroom=headroom, results=results, failures=failures)


def ledger_as_mapping(ledger: Ledger) -> dict[str, Any]:
    """Plain values, ready for JSON: figures as columns, so that their names stand once."""
    names = sorted({name for trial in ledger.trials for name in trial.figures})
    return {
        "schema": SCHEMA,
        "page": ledger.page,
        "code": ledger.code,
        "commit": ledger.commit,
        "seeds": list(ledger.seeds),
        "cpu_seconds": round(ledger.cpu_seconds, 1),
        "complete": ledger.complete,
        "places": [
            {
                "role": place.role,
                "name": place.name,
                "said": list(place.said),
                "days": place.days,
                "requests": _rounded(place.requests),
                "levels": dict(place.levels),
                "searched_on": place.searched_on,
            }
            for place in ledger.places
        ],
        "figures": names,
        "trials": [
            [t.scenario, t.policy, t.headroom, t.seed, t.failure]
            + [_rounded(t.figures.get(name)) for name in names]
            for t in ledger.trials
        ],
        "runs": [[t.run, round(t.cpu_seconds, 1)] for t in ledger.trials],
        "settled": [list(one) for one in sorted(ledger.settled)],
        "curves": [
            {
                "scenario": curve.scenario,
                "policy": curve.policy,
                "step_seconds": curve.step_seconds,
                "busy": [round(value, 1) for value in curve.busy],
                "ready": [round(value, 1) for value in curve.ready],
                "overhead": [round(value, 1) for value in curve.overhead],
            }
            for curve in ledger.curves
        ],
    }


def ledger_of(told: Mapping[str, Any]) -> Ledger:
    """The ledger behind `ledger_as_mapping`. Raises KeyError, TypeError, ValueError."""
    if told["schema"] != SCHEMA:
        raise ValueError(f"schema {told['schema']} is not {SCHEMA}")
    names = told["figures"]
    return Ledger(
        page=told["page"],
        code=told["code"],
        commit=told["commit"],
        seeds=tuple(told["seeds"]),
        cpu_seconds=told["cpu_seconds"],
        complete=told["complete"],
        places=tuple(Place(**place | {"said": tuple(place["said"])}) for place in told["places"]),
        trials=tuple(
            Trial(
                scenario=scenario,
                policy=policy,
                headroom=headroom,
                seed=seed,
                failure=failure,
                run=run,
                cpu_seconds=spent,
                figures=dict(zip(names, figures, strict=True)),
            )
            for (scenario, policy, headroom, seed, failure, *figures), (run, spent) in zip(
                told["trials"], _runs_of(told), strict=True
            )
        ),
        curves=tuple(
            Curve(
                scenario=curve["scenario"],
                policy=curve["policy"],
                step_seconds=curve["step_seconds"],
                busy=tuple(curve["busy"]),
                ready=tuple(curve["ready"]),
                overhead=tuple(curve["overhead"]),
            )
            for curve in told["curves"]
        ),
        settled=frozenset((role, policy, level) for role, policy, level in told["settled"]),
    )


def _runs_of(told: Mapping[str, Any]) -> Iterable[Any]:
    """Name and CPU seconds of each trial's run; ledgers of measurements may have none."""
    return told.get("runs") or [["", 0.0]] * len(told["trials"])


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
