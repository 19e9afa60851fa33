"""A little history to simulate, specs of runs on it, and an executor that only pretends to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from heliostat.model.instants import Span
from heliostat.model.names import Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.experiments.executors import TellOf
from simulation.experiments.experiment import Experiment
from simulation.experiments.recorded import write_recorded
from simulation.experiments.result import Outcome, RunFailure, RunResult
from simulation.experiments.scenes import scene_ref
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import PolicySpec, RunSpec, SceneRef
from tests.builders import MINUTE, NOON, a_demand, catalogue_mapping

HOUR = timedelta(hours=1)
REACTIVE = PolicySpec(name="reactive", policy="reactive")
HELIOSTAT = PolicySpec(name="heliostat", policy="heliostat")


def little_arrivals(*, before: int = 60, minutes: int = 60, requests: float = 120) -> ArrivalRates:
    """Two regions alike; twice as much from the beginning on."""
    offered = np.full(before + minutes, requests)
    offered[before:] *= 2
    columns = MinuteArrivals(
        offered=offered, input_tokens=offered * 1000, output_tokens=offered * 100
    )
    demands = [
        a_demand(origin=origin, tier=tier)
        for origin in ("east", "west")
        for tier in (Tier.INTERACTIVE_FAST, Tier.BATCH)
    ]
    return ArrivalRates(start=NOON - MINUTE * before, by_demand=dict.fromkeys(demands, columns))


def a_history(folder: Path, *, minutes: int = 60, **changes: Any) -> SceneRef:
    """A file with an hour of it (or so many minutes) to simulate."""
    path = folder / "little.npz"
    write_recorded(
        path,
        catalogue=catalogue_mapping(),
        arrivals=little_arrivals(minutes=minutes, **changes),
        span=Span(NOON, NOON + MINUTE * minutes),
        said=("Made for a test.",),
    )
    return scene_ref(str(path))


def a_spec(scene: SceneRef, **changes: Any) -> RunSpec:
    values: dict[str, Any] = {"scene": scene, "policy": REACTIVE, "headroom": 0.5, "seed": 1}
    return RunSpec(**(values | changes))


def an_experiment(scene: SceneRef, **changes: Any) -> Experiment:
    values: dict[str, Any] = {
        "scene": scene,
        "policies": (HELIOSTAT, REACTIVE),
        "seeds": (1, 2),
        "headroom": 0.5,
        "bounds": False,
    }
    return Experiment(**(values | changes))


def a_result(*, attainment: float = 0.995, billed: float = 100.0, **figures: Any) -> RunResult:
    told = {
        "slo_attainment_judged": attainment,
        "gpu_hours_billed": billed,
        "cost_dollars": 3 * billed,
        "offered": 1000.0,
    }
    return RunResult(figures=told | figures, requests=1000, cpu_seconds=0.5)


def a_failure() -> RunFailure:
    return RunFailure(at="2026-03-02T12:30:00Z", error="ValueError: no", where="here:1 in plan")


class Pretender:
    """An executor whose runs are a function of their spec; it remembers what it was asked for."""

    def __init__(self, outcome: Callable[[RunSpec], Outcome]) -> None:
        self._outcome = outcome
        self.ran: list[RunSpec] = []

    def run(self, specs: Sequence[RunSpec], tell: TellOf) -> Iterator[tuple[int, Outcome]]:
        for place in reversed(range(len(specs))):
            self.ran.append(specs[place])
            tell(place, Mark(at=NOON, share=0.5, requests=10))
            yield place, self._outcome(specs[place])

    def close(self) -> None:
        pass
