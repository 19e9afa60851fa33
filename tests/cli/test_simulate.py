"""`heliostat simulate`: what is shown, written, kept and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heliostat.catalogue import FleetCatalogue
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import CapacityPlanner, PlanningProblem
from simulation.policies import registry
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.registry import PLUGINS
from tests.cli.running import Ran, heliostat
from tests.simulation.experiments.little import a_history


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    a_history(tmp_path, minutes=15)
    return tmp_path / "little.npz"


def simulate(scenario: object, *more: object) -> Ran:
    return heliostat(
        *("simulate", "--scenario", scenario, "--executor", "serial", "--seeds", 2, "--no-bounds"),
        *("--engine", "fluid"),
        *more,
    )


def test_policies_stand_side_by_side_within_80_columns(scenario: Path) -> None:
    ran = simulate(scenario, "--policy", "heliostat,reactive", "--headroom", "0.4")
    assert ran.code == 0, ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "heliostat" in ran.out
    assert "than reactive" in ran.out
    assert "95% interval" in ran.out
    assert "4 runs" in ran.out
    assert "[4/4] " in ran.err


def test_findings_are_written_as_json_and_as_a_page(scenario: Path, tmp_path: Path) -> None:
    found, page = tmp_path / "f.json", tmp_path / "h.html"
    ran = simulate(
        scenario, "--policy", "reactive", "--headroom", 0.4, "--json", found, "--html", page
    )
    assert ran.code == 0, ran.err
    told = json.loads(found.read_text())
    assert told["scenario"] == "little"
    assert told["seeds"] == [1, 2]
    assert told["policies"]["reactive"]["gpu_hours_billed"]["mean"] > 0
    assert page.read_text().startswith("<!doctype html>")


def test_json_on_stdout_is_json_and_nothing_else(scenario: Path) -> None:
    ran = simulate(scenario, "--policy", "reactive", "--headroom", 0.4, "--json", "-")
    assert ran.json["runs"] == 2


def test_a_sweep_tries_a_policys_own_headrooms(scenario: Path) -> None:
    ran = simulate(scenario, "--policy", "reactive", "--attainment", 0.5, "--json", "-")
    frontier = ran.json["policies"]["reactive"]["frontier"]
    assert len(frontier) >= 3
    assert ran.json["policies"]["reactive"]["reached"]


def test_what_was_finished_is_found_again(scenario: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = ("--policy", "reactive", "--headroom", 0.4, "--resume", kept, "--json", "-")
    first = simulate(scenario, *arguments)
    again = simulate(scenario, *arguments)
    assert again.json == first.json  # timing too: it is that of the runs
    assert "(found)" in again.err
    assert "(found)" not in first.err


def test_a_kept_file_that_is_broken_is_said_and_run_again(scenario: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = ("--policy", "reactive", "--headroom", 0.4, "--resume", kept)
    assert simulate(scenario, *arguments).code == 0
    broken = next((kept / "runs").iterdir())
    broken.write_text("{")
    again = simulate(scenario, *arguments)
    assert again.code == 0
    assert f"{broken.name} (reactive at headroom 0.4, seed" in again.err
    assert "run was repeated" in again.err
    assert again.err.count("(found)") == 1


def test_runs_of_something_else_in_the_folder_are_said(scenario: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = ("--policy", "reactive", "--resume", kept, "--headroom")
    assert simulate(scenario, *arguments, 0.4).code == 0
    other = simulate(scenario, *arguments, 0.5)
    assert "None of the 2 runs in" in other.err


def test_how_much_there_is_to_do_is_said_before_it_is_done(scenario: Path, tmp_path: Path) -> None:
    lost = simulate(scenario, "--policy", "reactive", "--headroom", 0.4)
    assert lost.err.startswith("2 initial runs. --resume FOLDER would keep finished runs.\n")
    kept = simulate(scenario, "--policy", "reactive", "--bounds", "--resume", tmp_path / "kept")
    first = kept.err.splitlines()[0]
    assert "8 of them for the causal oracle (--no-bounds skips bounds)" in first
    assert "sweeps add a few more" in first
    assert "would keep" not in first


def test_names_are_listed_within_80_columns() -> None:
    ran = heliostat("simulate", "--list")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    for name in ("week", "tenants", "heliostat", "lt-ua", "same-time-yesterday", "plan-flows"):
        assert name in ran.out


def test_what_headroom_means_for_a_policy_can_be_asked(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("policy: lt-ua\nheadroom: -0.3\n")
    ran = heliostat("simulate", "--list", "--policy", f"chiron,{tmp_path / 'ours.yaml'}")
    assert ran.code == 0, ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "spikes within a lead time" in ran.out
    assert "the programme covers (1+h) times the median" in " ".join(ran.out.split())
    assert "-0.6 at least" in ran.out
    assert heliostat("simulate", "--list", "--policy", "magic").code == 66


def test_a_policy_may_be_a_file(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "careful.yaml").write_text("policy: reactive\nheadroom: 1.0\n")
    ran = simulate(scenario, "--policy", tmp_path / "careful.yaml", "--json", "-")
    assert ran.json["policies"]["careful"]["headroom"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--policy", "magic"), 66, "unknown policy 'magic'"),
        (("--policy", "heliostat,heliostat"), 65, "unique name"),
        (("--policy", ","), 65, "at least one policy"),
        (("--forecaster", "tea"), 66, "unknown forecaster 'tea'"),
        (("--headroom", "much"), 65, "use sweep"),
        (("--headroom", "-1"), 65, "headroom"),
        (("--attainment", "2"), 65, "attainment"),
        (("--engine", "steam"), 65, "engine"),
        (("--cheapest", "euros"), 65, "gpu-hours, dollars"),
        (("--executor", "abacus"), 65, "serial, processes, ray"),
        (("--seeds", "0"), 2, ""),
        (("--json", "/nowhere/at/all.json"), 65, "folder does not exist"),
        (("--html", "/nowhere/at/all.html"), 65, "folder does not exist"),
        (("--json", "/"), 65, "--json: / is a folder"),
        (("--html", "-"), 65, "--html: a page must be written to a file"),
        (("--html", "/proc/report.html"), 65, "--html: no file can be written to /proc"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_runs(
    scenario: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = simulate(scenario, *arguments)
    assert ran.code == code
    assert words in ran.err
    assert "CPU s" not in ran.err


def test_what_cannot_be_written_takes_nothing_from_the_other_report(
    scenario: Path, tmp_path: Path
) -> None:
    page = tmp_path / "h.html"
    ran = simulate(
        *(scenario, "--policy", "reactive", "--headroom", 0.4),
        *("--json", "/dev/full", "--html", page),
    )
    assert ran.code == 65
    assert "--json: /dev/full cannot be written: No space left on device" in ran.err
    assert page.read_text().startswith("<!doctype html>")
    assert "2 runs" in ran.out


class BreaksOff:
    """Plans as another does for five minutes."""

    def __init__(self, planner: CapacityPlanner) -> None:
        self._planner = planner
        self._until: datetime | None = None

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        self._until = self._until or problem.at + timedelta(minutes=5)
        if problem.at >= self._until:
            raise ArithmeticError("no idea")
        return self._planner.plan(problem)


def breaking_off(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    policy = PLUGINS["reactive"].make(catalogue, options)
    broken = replace(policy.deciders, planner=BreaksOff(policy.deciders.planner))
    return replace(policy, name="shy", deciders=broken)


def test_a_policy_that_fails_ends_with_65_once_both_reports_are_written(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A plug-in of one's own is a line of this list (docs/adding-a-policy.md).
    shy = replace(PLUGINS["reactive"], name="shy", make=breaking_off)
    monkeypatch.setattr(registry, "PLUGINS", {**PLUGINS, "shy": shy})
    found, page = tmp_path / "f.json", tmp_path / "h.html"
    ran = simulate(
        *(scenario, "--policy", "shy,reactive", "--headroom", 0.4),
        *("--json", found, "--html", page),
    )
    assert ran.code == 65
    assert "shy" in ran.err
    assert "no idea" in ran.err
    told = json.loads(found.read_text())["policies"]
    (failure,) = {(one["at"], one["error"]) for one in told["shy"]["failures"]}
    assert "no idea" in failure[1]
    assert told["reactive"]["gpu_hours_billed"]["mean"] > 0
    assert "no idea" in page.read_text()


def test_an_unknown_scenario_names_those_that_there_are() -> None:
    ran = simulate("atlantis")
    assert ran.code == 66
    assert "unknown scenario 'atlantis'" in ran.err
    assert "day" in ran.err
