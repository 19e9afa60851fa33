"""`trace build` and `trace describe` of scenarios, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.workload.fit import fit_to_demo
from simulation.workload.load import load_trace
from tests.builders import NOON, a_catalogue
from tests.cli.running import heliostat
from tests.simulation.scenarios.files import spec_file


def test_a_built_trace_is_described_beside_its_target(tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    built = heliostat("trace", "build", "--spec", spec_file(tmp_path), out)
    assert built.code == 0
    assert "requests over 1 d from 2026-02-06T00:00Z, seed 1." in built.out
    assert (tmp_path / "o.history.parquet").is_file()
    shown = heliostat("trace", "describe", out)
    assert "Prompt tokens compared with the target" in shown.out
    assert "By model" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    told = heliostat("trace", "describe", out, "--json").json
    prompts = [one for one in told["target"] if one["figure"] == "prompt tokens"]
    median = next(one for one in prompts if (one["model"], one["level"]) == ("alpha", "p50"))
    assert median["wanted"] == 5576
    assert median["found"] == pytest.approx(5576, rel=0.1)


def test_a_target_of_ones_own_is_set_beside(tmp_path: Path) -> None:
    target = {
        "peak_to_trough": 9,
        "autocorrelation_day": 0.8,
        "models": {"beta": {"mean_per_second": 0.5, "burstiness": {"p99": 3, "max": 15}}},
    }
    out = tmp_path / "o.parquet"
    assert heliostat("trace", "build", "--spec", spec_file(tmp_path, target=target), out).code == 0
    told = heliostat("trace", "describe", out, "--json").json["target"]
    assert [(one["model"], one["figure"], one["level"]) for one in told] == [
        ("", "peak to trough", ""),
        ("", "autocorrelation day", ""),
        ("beta", "mean per second", ""),
        ("beta", "burstiness", "p99"),
        ("beta", "burstiness", "max"),
    ]
    assert told[1]["found"] is None
    shown = heliostat("trace", "describe", out)
    assert "measured ÷ target" in shown.out


def test_the_seed_can_be_overruled(tmp_path: Path) -> None:
    spec = spec_file(tmp_path)
    built = [
        heliostat("trace", "build", "--spec", spec, tmp_path / "o.parquet", "--json", *more).json
        for more in ([], ["--seed", "1"], ["--seed", "2"])
    ]
    assert [one["seed"] for one in built] == [1, 1, 2]
    assert built[0]["requests"] == built[1]["requests"] != built[2]["requests"]


def test_a_wrong_spec_ends_with_the_code_of_wrong_input_and_leaves_nothing(tmp_path: Path) -> None:
    spec, out = spec_file(tmp_path, dayz=1), tmp_path / "o.parquet"
    ran = heliostat("trace", "build", "--spec", spec, out)
    assert ran.code == 65
    assert "little.yaml:10: dayz: unknown key" in ran.err
    assert not out.exists()


def test_a_scenario_is_described_by_name_and_by_file(tmp_path: Path) -> None:
    shown = heliostat("trace", "describe", spec_file(tmp_path))
    assert shown.code == 0
    assert "little, seed 1" in shown.out
    assert "Busy replicas by the planner's θ" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    told = heliostat("trace", "describe", "small", "--json", "--seed", "3").json
    assert told["seed"] == 3
    assert {model["model"] for model in told["models"]} >= {"llama2-70b", "phi-2"}
    assert told["reachable_share"] == pytest.approx(1.0)


def test_a_word_that_is_neither_file_nor_scenario_lists_the_scenarios(tmp_path: Path) -> None:
    ran = heliostat("trace", "describe", "nope")
    assert ran.code == 66
    assert "unknown scenario 'nope'; built in are week, day, burst" in ran.err
    missing = heliostat("trace", "describe", tmp_path / "nope.csv")
    assert missing.code == 65
    assert "nope.csv: cannot be read: No such file" in missing.err


def test_tenants_without_data_say_so(tmp_path: Path) -> None:
    ran = heliostat("trace", "describe", "tenants", HELIOSTAT_DATA="")
    assert ran.code != 0
    assert "HELIOSTAT_DATA is not set" in ran.err


def test_a_built_trace_is_demand_for_a_demo(tmp_path: Path) -> None:
    """Every series stays in the region and tier that it names."""
    out = tmp_path / "o.parquet"
    assert heliostat("trace", "build", "--spec", spec_file(tmp_path, days=2), out).code == 0
    day = NOON.replace(hour=0)
    demand = fit_to_demo(load_trace(out), a_catalogue(), day_start=day, busy_replicas=5, seed=1)
    assert any("is used there, on its own clock" in sentence for sentence in demand.said)
