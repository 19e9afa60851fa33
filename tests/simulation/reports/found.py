"""Findings made up from settings and seeds, with a record to draw."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from heliostat.model.instants import to_epoch
from simulation.experiments.ceilings import ORACLE
from simulation.experiments.comparison import Contest, Point, contest
from simulation.experiments.experiment import Experiment, Findings
from simulation.experiments.result import (
    DecisionRecord,
    PoolRecord,
    Record,
    RunResult,
    TierRecord,
)
from simulation.experiments.spec import PolicySpec, SceneRef
from tests.builders import NOON
from tests.simulation.experiments.little import HELIOSTAT, REACTIVE, a_failure, a_result

SEEDS = (1, 2, 3)
STEPS = 12


def a_record(reason: str = "more is wanted") -> Record:
    def column(first: float) -> tuple[float, ...]:
        return tuple(first + step % 3 for step in range(STEPS))

    return Record(
        start=to_epoch(NOON),
        step_seconds=300,
        pools={
            f"{region}/alpha/small": PoolRecord(
                gpus=8, busy=column(2.0), ready=column(4.0), overhead=column(0.0)
            )
            for region in ("east", "west")
        },
        tiers={
            "interactive-fast": TierRecord(
                offered=(100,) * STEPS,
                shed=(1,) * STEPS,
                judged=(100.0,) * STEPS,
                met=(99.0,) * STEPS,
            )
        },
        decisions=tuple(
            DecisionRecord(
                at=to_epoch(NOON + timedelta(minutes=5 * number)),
                pool=f"{region}/alpha/small",
                target=number + 1,
                before=number,
                reason=f"{reason} ({number})",
                detail="bound by demand",
                outcome="refused: no-capacity" if number == 3 else "applied",
            )
            for number in range(80)
            for region in ("east", "west")
        ),
    )


def a_run(policy: PolicySpec, headroom: float, seed: int) -> RunResult:
    better = 0.004 if policy is HELIOSTAT else 0.0
    run = a_result(
        attainment=min(0.9995, 0.97 + 0.04 * headroom + better + 0.0005 * seed),
        billed=(90 if policy is HELIOSTAT else 110) * (1 + headroom) + seed,
        idle_gpu_hours=30.0,
        scaling_overhead_gpu_hours=4.0,
        shed=12.0,
        **{"slo_attainment.interactive-fast": 0.98, "scale_events_by_kind.bought": 3.0},
    )
    sketch = {bucket: 10 + bucket for bucket in range(-20, 90)}
    latencies = {f"{what}/interactive-fast": sketch for what in ("ttft", "itl", "e2e")}
    return replace(run, latencies=latencies, record=a_record() if seed == 1 else None)


def findings(**changes: Any) -> Findings:
    """Two policies that reach 99 %, one that never does, one that fails everywhere."""
    weak, broken = (PolicySpec(name=name, policy="keda") for name in ("weak", "broken"))
    experiment = Experiment(
        scene=SceneRef(name="made-up"),
        policies=(HELIOSTAT, REACTIVE, weak, broken),
        seeds=SEEDS,
        headroom=0.0,
    )
    oracle = [
        Point(headroom=h, results={seed: a_run(HELIOSTAT, h, seed) for seed in SEEDS})
        for h in (0.0, 0.6)
    ]
    linear = {
        seed: RunResult(figures={"lp_gpu_hours": 80.0 + seed}, requests=0, cpu_seconds=0.1)
        for seed in SEEDS
    }
    headrooms = {HELIOSTAT: (0.0, 0.5, 1.0), REACTIVE: (0.0, 0.5, 1.0), weak: (0.0, 0.1)}
    contests = [
        contest(
            policy,
            [
                Point(headroom=h, results={seed: a_run(policy, h, seed) for seed in SEEDS})
                for h in headrooms.get(policy, ())
            ]
            or [Point(headroom=0.0, results={}, failures={seed: a_failure() for seed in SEEDS})],
            experiment.attainment,
            experiment.cost,
        )
        for policy in experiment.policies
    ]
    values: dict[str, Any] = {
        "experiment": experiment,
        "begins": NOON,
        "ends": NOON + timedelta(hours=1),
        "said": ("Made up <for> a test.",),
        "contests": tuple(contests),
        "oracle": contest(ORACLE, oracle, experiment.attainment, experiment.cost),
        "linear": linear,
    }
    return Findings(**(values | changes))


def with_figures(found: Findings, **figures: float) -> Findings:
    """The findings, these figures the same in every run."""

    def changed(one: Contest) -> Contest:
        points = tuple(
            replace(
                point,
                results={
                    seed: replace(run, figures={**run.figures, **figures})
                    for seed, run in point.results.items()
                },
            )
            for point in one.points
        )
        return replace(one, points=points)

    return replace(found, contests=tuple(changed(one) for one in found.contests))
