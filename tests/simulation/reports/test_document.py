"""The JSON document: its fields are those that docs/experiments.md explains, and it is repeatable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heliostat.model.names import Tier
from simulation.experiments.ceilings import ORACLE
from simulation.experiments.conducting import conduct
from simulation.experiments.executors import make_executor
from simulation.experiments.folder import RunFolder
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.result import RunFailure, RunResult
from simulation.reports.document import ALWAYS, TIMING, UNTIL_THEN, document
from tests.simulation.experiments.little import HELIOSTAT, REACTIVE, a_history, an_experiment
from tests.simulation.reports.found import findings

DOCS = Path(__file__).parents[3] / "docs" / "experiments.md"


def written(told: Any) -> Any:
    """As it comes back from its file."""
    return json.loads(json.dumps(told, allow_nan=False))


def leaves(told: Any, path: str = "") -> Iterator[str]:
    """Paths of the document as the docs write them: <policy>, <tier>, [] for elements."""
    if isinstance(told, dict) and not set(told) >= {"mean", "low", "high"}:
        for key, value in told.items():
            if path in ("policies", "differences", "differences.<policy>"):
                key = "<policy>"
            elif key in tuple(Tier):
                key = "<tier>"
            elif key == "further":
                value = None
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    elif isinstance(told, list) and told and isinstance(told[0], dict):
        for element in told:
            yield from leaves(element, f"{path}[]")
    elif told != []:
        yield path


def documented() -> set[str]:
    """The first column of the tables under "The JSON document"."""
    text = DOCS.read_text("utf-8").split("## The JSON document")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scene = a_history(tmp_path_factory.mktemp("scene"), minutes=30)
    laboratory = Laboratory(make_executor("serial", 1), RunFolder(path=None))
    told: dict[str, Any] = written(document(conduct(an_experiment(scene), laboratory)))
    return told


def test_every_field_is_documented_and_every_documented_field_is_there(
    real: dict[str, Any],
) -> None:
    there = set(leaves(real)) | set(leaves(written(document(findings()))))
    assert there - documented() == set()
    assert documented() - there == set()


def test_the_figures_that_are_promised_are_there_for_every_policy(real: dict[str, Any]) -> None:
    for name in ("heliostat", "reactive"):
        for figure in ALWAYS:
            place = real["policies"][name]
            for key in figure.split("."):
                place = place[key]
            assert place is None or set(place) == {"mean", "low", "high"}


def test_the_same_experiment_gives_the_same_document_but_for_timing(
    tmp_path: Path, real: dict[str, Any]
) -> None:
    laboratory = Laboratory(make_executor("serial", 1), RunFolder(path=None))
    scene = a_history(tmp_path, minutes=30)
    again = document(conduct(an_experiment(scene), laboratory))

    def untimed(told: dict[str, Any]) -> str:
        return json.dumps({key: value for key, value in told.items() if key not in TIMING})

    assert untimed(again) == untimed(real)
    assert again["cpu_seconds"] > 0


def test_a_policy_is_shown_at_its_equal_slo_setting_with_its_frontier_beside_it() -> None:
    told = document(findings())["policies"]["reactive"]
    assert told["reached"]
    assert told["headroom"] == 0.5
    assert [point["headroom"] for point in told["frontier"]] == [0.0, 0.5, 1.0]
    assert told["gpu_hours_billed"]["mean"] == told["frontier"][1]["gpu_hours_billed"]["mean"]
    assert told["gpu_hours_billed"]["low"] < told["gpu_hours_billed"]["mean"]


def test_a_policy_that_fails_leaves_its_failures_and_the_others_figures() -> None:
    told = document(findings())["policies"]
    assert told["broken"]["headroom"] is None
    assert "gpu_hours_billed" not in told["broken"]
    assert told["broken"]["failures"][0] == {
        "headroom": 0.0,
        "seed": 1,
        "at": "2026-03-02T12:30:00Z",
        "error": "ValueError: no",
        "where": "here:1 in plan",
        "until_then": dict.fromkeys(UNTIL_THEN),
    }
    assert told["heliostat"]["gpu_hours_billed"]["mean"] > 0


def test_a_policy_that_does_not_reach_says_so_and_shows_its_best() -> None:
    told = document(findings())["policies"]["weak"]
    assert not told["reached"]
    assert told["headroom"] == 0.1


def test_differences_are_paired_and_say_whether_they_exclude_zero() -> None:
    told = document(findings())["differences"]["heliostat"]["reactive"]
    billed = told["gpu_hours_billed"]
    assert billed["mean"] == pytest.approx(-30.0 * 1.0)
    assert billed["excludes_zero"] is True
    assert billed["relative"] == pytest.approx(-30 / 167, rel=1e-3)


def test_a_bound_is_given_with_how_far_above_it_a_policy_stands() -> None:
    told = document(findings())
    assert told["bound"]["lp_gpu_hours"]["mean"] == 82.0
    assert told["bound"]["causal_oracle_gpu_hours"]["mean"] == pytest.approx(90 * 1.6 + 2)
    assert told["bound"]["reason"] is None
    above = told["policies"]["heliostat"]
    assert above["above_lp_bound"]["mean"] == pytest.approx(90 * 1.5 - 80)
    assert above["above_causal_oracle"]["mean"] == pytest.approx(90 * (1.5 - 1.6))


def test_a_bound_that_is_missing_says_why() -> None:
    whole = findings()
    not_asked = replace(whole.experiment, bounds=False)
    told = document(replace(whole, experiment=not_asked, oracle=None, linear={}))["bound"]
    assert told["lp_gpu_hours"] is told["causal_oracle_gpu_hours"] is None
    assert told["reason"] == "bounds were not requested"
    weak = replace(whole.contests[2], policy=ORACLE)
    infeasible = {1: RunResult(figures={"lp_gpu_hours": None}, requests=0, cpu_seconds=0.1)}
    reason = document(replace(whole, oracle=weak, linear=infeasible))["bound"]["reason"]
    assert "no fleet within the quotas serves 99%" in reason
    assert "the causal oracle does not reach 99% either" in reason
    gave_up = {1: RunFailure(at="", error="the solver gave up", where="", cpu_seconds=0.1)}
    told = document(replace(whole, linear=gave_up))
    assert told["bound"]["lp_gpu_hours"] is None
    assert told["bound"]["reason"] == "the LP bound was not found: the solver gave up"
    served = sum(run.cpu_seconds for run in whole.outcomes)
    assert told["cpu_seconds"] == pytest.approx(served + 0.1)


def test_the_document_names_what_was_asked() -> None:
    told = document(findings())
    assert told["scenario"] == "made-up"
    assert told["seeds"] == [1, 2, 3]
    assert told["attainment_asked"] == 0.99
    assert told["requests"] == 1000 * (8 + 2) * 3
    bounds = sum(run.cpu_seconds for run in findings().linear.values())
    assert bounds > 0
    serving = told["cpu_seconds"] - bounds
    assert told["requests_per_cpu_second"] == pytest.approx(told["requests"] / serving)
    assert list(told["policies"]) == [HELIOSTAT.name, REACTIVE.name, "weak", "broken"]
