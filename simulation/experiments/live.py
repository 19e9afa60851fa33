"""Lives one run from its spec: wires the world, watches it, and keeps what it leaves behind."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from heliostat.clock import cpu_seconds
from heliostat.model.instants import Span, to_epoch
from simulation.bootstrap import simulated_world
from simulation.experiments.contenders import guarded, policy_of
from simulation.experiments.decision_log import decisions_of
from simulation.experiments.figures import figures_of, latencies_of
from simulation.experiments.recorder import Recorder, record_step
from simulation.experiments.result import Outcome, Record, RunFailure, RunResult
from simulation.experiments.scene import Scene
from simulation.experiments.scenes import load_scene
from simulation.experiments.spec import RunSpec
from simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a run is: the simulated instant, its share of the whole, requests offered so far."""

    at: datetime
    share: float
    requests: int


Tell = Callable[[Mark], None]


def live(spec: RunSpec, tell: Tell = lambda _: None) -> Outcome:
    """The run's result, or at which instant its policy broke it off. Raises InvalidInput.

    `tell` hears of every instant at which something happened.
    """
    began = cpu_seconds()
    scene = load_scene(spec.scene)
    lived = _Lived(spec, scene)
    try:
        lived.begin()
        lived.go_on(tell)
        return lived.end(cpu_seconds() - began)
    except Exception as error:  # noqa: BLE001 - a policy is a plug-in and may raise anything
        return RunFailure(
            at=lived.now.isoformat().replace("+00:00", "Z"),
            error=f"{type(error).__name__}: {error}",
            where=_where(error),
            cpu_seconds=cpu_seconds() - began,
        )


class _Lived:
    """A run under way."""

    def __init__(self, spec: RunSpec, scene: Scene) -> None:
        self._spec, self._scene = spec, scene
        self._world: SimulatedWorld | None = None
        self._recorder: Recorder | None = None

    @property
    def now(self) -> datetime:
        return self._scene.begins if self._world is None else self._world.now

    def begin(self) -> None:
        spec, scene = self._spec, self._scene
        catalogue = guarded(scene.catalogue, spec.policy)
        arrivals = scene.arrivals(spec.seed)
        self._world = simulated_world(
            catalogue=catalogue,
            arrivals=arrivals,
            begins=scene.begins,
            policy=policy_of(spec.policy, spec.headroom, catalogue),
            seed=spec.seed,
            troubles=scene.troubles,
            warm_vms=scene.warm_vms,
        )
        if spec.recorded:
            self._recorder = Recorder(self._world, record_step(scene.ends - scene.begins))

    def go_on(self, tell: Tell) -> None:
        assert self._world is not None, "begin comes first"
        length = self._scene.ends - self._scene.begins
        for at in self._world.steps(self._scene.ends):
            if self._recorder is not None:
                self._recorder.look(at)
            requests = sum(t.offered for t in self._world.estate.engine.tallies().values())
            tell(Mark(at=at, share=(at - self._scene.begins) / length, requests=requests))

    def end(self, spent: float) -> RunResult:
        assert self._world is not None, "begin comes first"
        world, span = self._world, Span(self._scene.begins, self._scene.ends)
        latencies = latencies_of(world.stores, span)
        figures = figures_of(world, span, latencies)
        return RunResult(
            figures=figures,
            requests=int(figures["offered"] or 0),
            cpu_seconds=spent,
            latencies={name: dict(sorted(s.counts.items())) for name, s in latencies.items()},
            record=self._record(span),
        )

    def _record(self, span: Span) -> Record | None:
        if self._recorder is None or self._world is None:
            return None
        decisions, left_out = decisions_of(self._world.stores, span)
        return Record(
            start=to_epoch(span.start),
            step_seconds=int(self._recorder.step.total_seconds()),
            pools=self._recorder.pools(),
            tiers=self._recorder.tiers(),
            decisions=decisions,
            decisions_left_out=left_out,
        )


def _where(error: BaseException) -> str:
    """The innermost line of ours: `planning/reactive.py:95 in plan`."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    if last is None:
        return ""
    place = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return f"{place}:{last.lineno} in {last.name}"
