"""Every executor gives every spec the same outcome, and says when a worker is lost.

Ray listens on loopback, so its tests are in tests/integration.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from heliostat.errors import InvalidInput, InvalidSettings, WorkersUnavailable
from simulation.experiments.executors import Executor, make_executor, on_ray, serial
from simulation.experiments.executors.processes import Processes
from simulation.experiments.result import Outcome, RunResult
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec, SceneRef
from tests.simulation.experiments.little import a_history, a_spec

RAY = find_spec("ray") is not None


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneRef:
    return a_history(tmp_path_factory.mktemp("scene"), minutes=20)


@pytest.fixture(scope="module", params=["serial", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = make_executor(request.param, 2)
    yield made
    made.close()
    made.close()


def outcomes(executor: Executor, specs: list[RunSpec]) -> list[Outcome]:
    """In the order of the specs, timing taken out."""
    came = dict(executor.run(specs, lambda place, mark: None))
    assert sorted(came) == list(range(len(specs)))
    return [replace(came[place], cpu_seconds=0.0) for place in range(len(specs))]


def three(scene: SceneRef) -> list[RunSpec]:
    return [a_spec(scene), a_spec(scene, seed=2, recorded=True), a_spec(scene, headroom=1.0)]


def test_outcomes_are_those_of_this_process(executor: Executor, scene: SceneRef) -> None:
    assert outcomes(executor, three(scene)) == outcomes(make_executor("serial", 1), three(scene))


def test_an_executor_can_be_asked_again(executor: Executor, scene: SceneRef) -> None:
    (first,) = outcomes(executor, [a_spec(scene)])
    (again,) = outcomes(executor, [a_spec(scene)])
    assert isinstance(first, RunResult)
    assert again == first
    assert outcomes(executor, []) == []


def test_a_run_that_cannot_begin_is_the_experiments_fault(
    executor: Executor, scene: SceneRef
) -> None:
    gone = replace(scene, digest="another")
    with pytest.raises(InvalidInput, match="changed"):
        list(executor.run([a_spec(gone)], lambda place, mark: None))


def test_one_process_warms_an_engine_up_once_before_it_charges_anybody(
    scene: SceneRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(serial, "warm_up", lambda engine: happened.append(f"warm {engine}"))
    monkeypatch.setattr(serial, "simulate", lambda spec, told: happened.append(f"seed {spec.seed}"))
    executor = serial.Serial()
    for _ in range(2):
        list(executor.run([a_spec(scene), a_spec(scene, seed=2)], lambda place, mark: None))
    assert happened == ["warm fluid", "seed 1", "seed 2", "seed 1", "seed 2"]


def test_marks_reach_the_caller_while_runs_go_on(tmp_path: Path) -> None:
    scene = a_history(tmp_path, minutes=120)
    told: list[tuple[int, Mark]] = []
    workers = Processes(1)
    try:
        list(workers.run([a_spec(scene)], lambda place, mark: told.append((place, mark))))
    finally:
        workers.close()
    assert told
    assert all(place == 0 and 0 <= mark.share <= 1 for place, mark in told)


def test_a_worker_that_is_killed_is_said_and_the_next_call_hires_anew(scene: SceneRef) -> None:
    workers = Processes(1)
    try:
        list(workers.run([a_spec(scene)], lambda place, mark: None))
        for victim in workers.process_ids():
            os.kill(victim, signal.SIGKILL)
        with pytest.raises(WorkersUnavailable, match=r"seed 1 .*-9.*fewer workers"):
            list(workers.run([a_spec(scene)], lambda place, mark: None))
        assert len(list(workers.run([a_spec(scene)], lambda place, mark: None))) == 1
    finally:
        workers.close()


def test_a_caller_that_stops_listening_leaves_no_worker_behind(scene: SceneRef) -> None:
    workers = Processes(1)
    runs = workers.run([a_spec(scene), a_spec(scene, seed=2)], lambda place, mark: None)
    next(iter(runs))
    (worker,) = workers.process_ids()
    runs.close()  # type: ignore[attr-defined]  # it is a generator
    assert workers.process_ids() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_an_unknown_executor_lists_the_known() -> None:
    with pytest.raises(InvalidInput, match="serial, processes, ray"):
        make_executor("abacus", 1)
    with pytest.raises(InvalidInput, match="workers"):
        make_executor("processes", 0)


@pytest.mark.skipif(RAY, reason="Ray is installed")
def test_ray_that_is_not_installed_is_named_with_its_remedy() -> None:
    with pytest.raises(InvalidSettings, match=r"pip install .ray>=2\.40.. with the pip of"):
        make_executor("ray", 1)


def test_a_ray_that_does_not_start_is_the_workers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        def is_initialized(self) -> bool:
            return False

        def init(self, **options: object) -> None:
            raise RuntimeError("Timed out waiting for file")

    monkeypatch.setattr(on_ray, "_ray", Stuck)
    with pytest.raises(WorkersUnavailable, match="Ray did not start: Timed out"):
        on_ray.OnRay(1)


def test_a_ray_task_has_imported_and_compiled_everything_before_its_run_is_timed() -> None:
    """The task itself, in a process of its own; the run is one that does not even begin."""
    asked = """
import sys
from simulation.experiments.executors.on_ray import _simulate
from simulation.experiments.spec import PolicySpec, RunSpec, SceneRef
nowhere = SceneRef(name="nowhere")
policy = PolicySpec(name="reactive", policy="reactive")
spec = RunSpec(scene=nowhere, policy=policy, headroom=0.0, seed=1, engine="event")
assert "simulation.event.engine" not in sys.modules
print(type(_simulate(spec, 0, None)).__name__, "simulation.event.engine" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["Blame", "True"]
