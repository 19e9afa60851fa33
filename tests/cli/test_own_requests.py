"""The example of docs/traces.md: requests that somebody wrote down become a scenario that is simulated."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from simulation.workload.load import load_trace
from tests.cli.running import heliostat

PAGE = (Path(__file__).parents[2] / "docs" / "traces.md").read_text("utf-8")


def example(language: str) -> str:
    return PAGE.split("## Your own requests")[1].split(f"```{language}\n")[1].split("```")[0]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mine.csv").write_text(example("csv"), "utf-8")
    (tmp_path / "mine.yaml").write_text(example("yaml"), "utf-8")
    return tmp_path


def test_the_csv_of_the_documentation_is_a_trace(place: Path) -> None:
    shown = heliostat("trace", "describe", place / "mine.csv")
    assert shown.code == 0, shown.err
    assert "requests-csv" in shown.out
    assert "2026-02-06T10:00:00Z" in shown.out


def test_every_model_of_the_documented_csv_has_a_rate(place: Path) -> None:
    found = heliostat("trace", "describe", place / "mine.csv", "--json").json
    assert {one["model"] for one in found["models"]} == {"chat", "llama2-7b"}
    assert all(one["total"]["mean_per_second"] > 0 for one in found["models"])


def test_the_scenario_of_the_documentation_simulates_it(place: Path) -> None:
    shown = heliostat("trace", "describe", place / "mine.yaml")
    assert shown.code == 0, shown.err
    assert "4 requests of mine.csv as they were recorded." in shown.out
    ran = heliostat(
        *("simulate", "--scenario", place / "mine.yaml", "--engine", "fluid", "--seeds", 1),
        *("--headroom", 0.25, "--no-bounds", "--executor", "serial"),
    )
    assert ran.code == 0, ran.err
    assert "heliostat bills" in ran.out


def test_the_csv_can_be_converted_and_is_the_same_scenario(place: Path) -> None:
    ran = heliostat(
        "trace", "convert", place / "mine.csv", place / "mine.parquet", "--to", "requests"
    )
    assert ran.code == 0, ran.err
    spec = place / "mine.yaml"
    spec.write_text(spec.read_text().replace("mine.csv", "mine.parquet"))
    shown = heliostat("trace", "describe", spec)
    assert "4 requests of mine.parquet as they were recorded." in shown.out


def test_the_parquet_of_the_documentation_holds_what_the_csv_holds(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    program: dict[str, object] = {"pl": pl}
    exec(example("python"), program)
    written, typed = load_trace(place / "mine.parquet"), load_trace(place / "mine.csv")
    assert [one.series_id for one in written.series] == [one.series_id for one in typed.series]
    for one, other in zip(written.series, typed.series, strict=True):
        assert (one.start, one.requests.tolist()) == (other.start, other.requests.tolist())


def test_a_header_of_other_names_is_told_what_it_should_be(place: Path) -> None:
    table = place / "theirs.csv"
    table.write_text("time,prompt_tokens,output_tokens,model\n0,1,2,m\n")
    ran = heliostat("trace", "describe", table)
    assert ran.code == 65
    assert "lacks the columns arrival, input_tokens" in ran.err
    assert "must start with arrival,input_tokens,output_tokens" in ran.err
