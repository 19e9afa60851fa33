"""The pages name as many runs as the command that they show begins with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.cli.asked import Asked
from simulation.experiments.conducting import first_runs
from simulation.experiments.experiment import Experiment
from simulation.experiments.policy_file import policies_asked
from simulation.experiments.scenes import scene_ref
from simulation.experiments.sweep import Sweep

ROOT = Path(__file__).parents[2]
_COMMAND = r"simulate --scenario {} --policy (\S+)(?: --seeds (\d+))?"


@pytest.mark.parametrize(
    ("page", "scenario"), [("README.md", "week"), ("docs/experiments.md", "day")]
)
def test_the_runs_of_the_command_shown_are_counted(page: str, scenario: str) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    shown = re.search(_COMMAND.format(scenario), text)
    begins = re.search(r"begins with (\d+) runs", text)
    adds = re.search(r"adds up to (\d+)", text)
    assert shown is not None, page
    assert begins is not None, page
    assert adds is not None, page
    policies, seeds = shown[1].split(","), int(shown[2] or Asked().seeds)
    sweep = Sweep()
    experiment = Experiment(
        scene=scene_ref(scenario),
        policies=policies_asked(policies),
        seeds=tuple(range(1, seeds + 1)),
        headroom=sweep,
    )
    assert int(begins[1]) == len(first_runs(experiment))
    contenders = len(policies) + 1  # the causal oracle is swept too
    assert int(adds[1]) == contenders * sweep.refinements * seeds
