"""Runs on a local Ray cluster; tested where Ray is installed (`make ray`), as in CI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from heliostat.errors import InvalidInput
from simulation.experiments.executors import Executor, make_executor
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import SceneRef
from tests.simulation.experiments.little import a_history, a_spec

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None,
    reason="NOT TESTED: Ray is not installed (make ray)",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    made = make_executor("ray", 2)
    yield made
    made.close()
    made.close()


@pytest.fixture
def scene(tmp_path: Path) -> SceneRef:
    return a_history(tmp_path, minutes=20)


def test_outcomes_on_ray_are_those_of_this_process(cluster: Executor, scene: SceneRef) -> None:
    specs = [a_spec(scene, seed=seed) for seed in (1, 2, 3)]
    here = dict(make_executor("serial", 1).run(specs, lambda place, mark: None))
    there = dict(cluster.run(specs, lambda place, mark: None))
    for place in here:
        assert replace(there[place], cpu_seconds=0.0) == replace(here[place], cpu_seconds=0.0)


def test_marks_reach_the_caller(cluster: Executor, tmp_path: Path) -> None:
    told: list[tuple[int, Mark]] = []
    spec = a_spec(a_history(tmp_path, minutes=240))
    list(cluster.run([spec], lambda place, mark: told.append((place, mark))))
    assert told


def test_a_run_that_cannot_begin_is_the_experiments_fault(
    cluster: Executor, scene: SceneRef
) -> None:
    with pytest.raises(InvalidInput, match="changed"):
        list(cluster.run([a_spec(replace(scene, digest="x"))], lambda place, mark: None))
