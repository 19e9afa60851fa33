"""Simulates one run from its spec: wires the world, observes it, and keeps the result."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.clock import cpu_seconds
from heliostat.model.instants import Span, to_epoch
from simulation.arrivals import ArrivalRates
from simulation.bootstrap import simulated_world
from simulation.experiments.ceilings import linear_run
from simulation.experiments.contenders import guarded, policy_of
from simulation.experiments.decision_log import decisions_of
from simulation.experiments.engines import engine_maker
from simulation.experiments.figures import figures_of, latencies_of
from simulation.experiments.recorder import Recorder, record_step
from simulation.experiments.result import Outcome, Record, RunFailure, RunResult
from simulation.experiments.scenes import load_scene
from simulation.experiments.spec import RunSpec
from simulation.policies.failure import PolicyFailed
from simulation.policies.policy import Policy
from simulation.scenarios.scenario import Scenario
from simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a run is: the simulated instant, its share of the whole, requests offered so far."""

    at: datetime
    share: float
    requests: int


Tell = Callable[[Mark], None]


def unheard(mark: Mark) -> None:
    """Nobody listens."""


def simulate(spec: RunSpec, tell: Tell = unheard) -> Outcome:
    """The run's result, or at which instant its policy broke it off. Raises InvalidInput.

    `tell` hears of every instant at which something happened.
    """
    scene = load_scene(spec.scene)
    if spec.bound is not None:
        return linear_run(spec, scene)
    began = cpu_seconds()
    try:
        policy = policy_of(spec, scene)
    except PolicyFailed as failure:
        return _broken_off(failure, cpu_seconds() - began)
    return simulate_under(policy, spec, scene, tell)


def simulate_under(policy: Policy, spec: RunSpec, scene: Scenario, tell: Tell = unheard) -> Outcome:
    """The same with the policy and the scenario at hand."""
    began = cpu_seconds()
    world: SimulatedWorld | None = None
    try:
        world = simulated_world(
            catalogue=guarded(scene.catalogue, spec.policy),
            arrivals=_remembered(scene.arrivals(spec.seed), scene.begins, policy),
            begins=scene.begins,
            policy=policy,
            seed=spec.seed,
            engine=engine_maker(spec.engine, scene, spec.seed),
            fleet=scene.first_fleet(spec.seed),
            troubles=scene.troubles,
            warm_vms=scene.warm_vms,
        )
        recorder = _go_through(world, spec, scene, tell)
    except PolicyFailed as failure:
        return _broken_off(failure, cpu_seconds() - began, world)
    return _result(world, recorder, scene.span, cpu_seconds() - began)


def _remembered(arrivals: ArrivalRates, begins: datetime, policy: Policy) -> ArrivalRates:
    """What is worth telling of the past: to a policy without forecasts the last day is all, from
    which token mixes are measured."""
    if policy.rhythm.forecasts is not None:
        return arrivals
    start = max(arrivals.span.start, begins - timedelta(days=1))
    return arrivals.within(Span(start, arrivals.span.end))


def _go_through(
    world: SimulatedWorld, spec: RunSpec, scene: Scenario, tell: Tell
) -> Recorder | None:
    length = scene.ends - scene.begins
    recorder = Recorder(world, record_step(length)) if spec.recorded else None
    for at in world.steps(scene.ends):
        if recorder is not None:
            recorder.look(at)
        requests = world.estate.engine.offered()
        tell(Mark(at=at, share=(at - scene.begins) / length, requests=requests))
    return recorder


def _broken_off(
    failure: PolicyFailed, spent: float, world: SimulatedWorld | None = None
) -> RunFailure:
    figures: dict[str, float | None] = {}
    if world is not None and world.estate.engine.span.start < failure.at:
        until_then = Span(world.estate.engine.span.start, failure.at)
        figures = figures_of(world, until_then, latencies_of(world.estate.engine))
    return RunFailure(
        at=f"{failure.at:%Y-%m-%dT%H:%M:%SZ}",
        error=str(failure).removeprefix(f"{failure.field}: "),
        where=_where(failure),
        cpu_seconds=spent,
        figures=figures,
    )


def _result(
    world: SimulatedWorld, recorder: Recorder | None, span: Span, spent: float
) -> RunResult:
    latencies = latencies_of(world.estate.engine)
    figures = figures_of(world, span, latencies)
    return RunResult(
        figures=figures,
        requests=int(figures["offered"] or 0),
        cpu_seconds=spent,
        latencies={name: dict(sorted(s.counts.items())) for name, s in latencies.items()},
        record=None if recorder is None else _record(world, recorder, span),
    )


def _record(world: SimulatedWorld, recorder: Recorder, span: Span) -> Record:
    decisions, left_out = decisions_of(world.stores, span)
    return Record(
        start=to_epoch(span.start),
        step_seconds=int(recorder.step.total_seconds()),
        pools=recorder.pools(),
        tiers=recorder.tiers(),
        decisions=decisions,
        decisions_left_out=left_out,
    )


def _where(failure: PolicyFailed) -> str:
    """The line that raised: `planning/rivals/reactive.py:95 in plan`."""
    frames = traceback.extract_tb((failure.__cause__ or failure).__traceback__)
    if not frames:
        return ""
    place = "/".join(frames[-1].filename.replace("\\", "/").split("/")[-2:])
    return f"{place}:{frames[-1].lineno} in {frames[-1].name}"
