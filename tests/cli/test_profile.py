"""`heliostat profile fit`: measured tables become laws, and what is wrong in them is named."""

from pathlib import Path

import pytest

from simulation.profiles.laws_file import read_laws
from tests.cli.running import heliostat
from tests.simulation.profiles.tables import (
    a_line,
    a_row,
    an_iteration_file,
    operator_files,
    some_rows,
    write,
)


def test_a_folder_of_tables_becomes_laws_with_errors_ranges_and_reasons(tmp_path: Path) -> None:
    an_iteration_file(tmp_path)
    operator_files(tmp_path)
    ran = heliostat("profile", "fit", tmp_path, "--json", "-", "--save", tmp_path / "laws.yaml")
    assert ran.code == 0
    law = next(one for one in ran.json["laws"] if one["kind"] == "measured")
    assert law["decode_ms"] == pytest.approx([40.0, 0.2, 0.3], rel=1e-4)
    assert law["prefill_error"]["mape"] == pytest.approx(0.0, abs=1e-6)
    assert law["range"]["most_batch"] == 64
    assert law["engine"]["kv_bytes_per_token"] == 327_680
    assert any("weights do not fit" in one["reason"] for one in ran.json["without_law"])
    assert len(read_laws(tmp_path / "laws.yaml")) == len(ran.json["laws"])


def test_the_report_reads_well_at_eighty_columns(tmp_path: Path) -> None:
    rows = [*some_rows(), a_row(3000, flag="odd")]
    ran = heliostat("profile", "fit", write(tmp_path / "runs.csv", map(a_line, rows)))
    assert ran.code == 0
    assert "llama2-70b 8×a100-80gb" in ran.out
    assert "1 row left out of decode: flagged odd" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_a_bad_row_ends_with_its_line_and_may_be_skipped(tmp_path: Path) -> None:
    file = an_iteration_file(tmp_path)
    with file.open("a") as more:
        more.write("splitwise-sim,llama2-70b,a100-80gb,8,none,1,128,1,1,1,\n")
    refused = heliostat("profile", "fit", file)
    assert refused.code == 65
    assert "runs.csv:11: prompt_tokens is not a number: 'none'" in refused.err
    skipped = heliostat("profile", "fit", file, "--skip-bad-rows")
    assert skipped.code == 0
    assert "1 bad row left out" in skipped.out
    assert heliostat("profile", "fit", tmp_path / "none.csv").code == 65


def test_tables_that_give_no_law_say_why_and_save_none(tmp_path: Path) -> None:
    file = write(tmp_path / "runs.csv", map(a_line, some_rows()[:1]))
    ran = heliostat("profile", "fit", file, "--save", tmp_path / "laws.yaml")
    assert ran.code == 65
    assert "runs.csv: yields no law; docs/engine-laws.md lists what a law needs" in ran.err
    assert "No law for llama2-70b" in ran.out
    assert not (tmp_path / "laws.yaml").exists()
