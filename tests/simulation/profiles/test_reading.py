"""Tables of measured times: each wrong row is named with its line."""

from pathlib import Path

import pytest

from heliostat.errors import InvalidProfile
from simulation.profiles.reading import read_profiles
from simulation.profiles.rows import TableKind
from tests.simulation.profiles.tables import (
    HEADER,
    a_line,
    a_row,
    an_iteration_file,
    operator_files,
    some_rows,
    write,
)

GOOD = a_line(a_row())


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("prompt_tokens", "many", "prompt_tokens is not a number: 'many'"),
        ("prompt_tokens", "0", "not a whole number of at least 1"),
        ("batch_size", "1.5", "not a whole number of at least 1"),
        ("token_count", "1", "not a whole number of at least 2"),
        ("prefill_time_s", "-0.2", "prefill_time_s is not above 0"),
        ("decode_iteration_time_s", "0", "decode_iteration_time_s is not above 0"),
        ("decode_iteration_time_s", "nan", "decode_iteration_time_s is not a number"),
        ("e2e_time_s", "inf", "e2e_time_s is not a number"),
        ("model", " ", "model is empty"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(
    tmp_path: Path, column: str, value: str, complaint: str
) -> None:
    fields = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {column: value}
    file = write(tmp_path / "runs.csv", [GOOD, ",".join(fields.values())])
    with pytest.raises(InvalidProfile, match=r"runs\.csv:3") as caught:
        read_profiles(file)
    assert complaint in str(caught.value)
    read = read_profiles(file, skip_bad_rows=True)
    assert (len(read.iterations), read.files[0].bad) == (1, 1)


@pytest.mark.parametrize("row", [GOOD + ",7", "splitwise-sim,llama2-70b"])
def test_a_line_with_other_fields_than_the_header_is_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(InvalidProfile, match=r"runs.csv:2.*fields, expected 11"):
        read_profiles(write(tmp_path / "runs.csv", [row]))


def test_a_file_of_bad_rows_alone_is_refused_even_where_bad_rows_are_skipped(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "runs.csv", ["a,b"])
    with pytest.raises(InvalidProfile, match="no usable row"):
        read_profiles(file, skip_bad_rows=True)


def test_what_is_no_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidProfile, match="does not exist"):
        read_profiles(tmp_path / "nothing.csv")
    with pytest.raises(InvalidProfile, match="no CSV file"):
        read_profiles(tmp_path)
    with pytest.raises(InvalidProfile, match="not a known table"):
        read_profiles(write(tmp_path / "other.csv", ["1,2"], header="x,y"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidProfile, match="cannot be read as CSV"):
        read_profiles(binary)


def test_in_a_folder_each_table_is_told_by_its_columns(tmp_path: Path) -> None:
    an_iteration_file(tmp_path)
    operator_files(tmp_path)
    write(tmp_path / "other.csv", ["1,2"], header="x,y")
    write(
        tmp_path / "shape.csv",
        ["0,0.007"],
        header="iteration_bucket_start,decode_iteration_time_s_p50",
    )
    read = read_profiles(tmp_path)
    assert {file.name: file.kind for file in read.files} == {
        "runs.csv": TableKind.ITERATIONS,
        "linear.csv": TableKind.LINEAR_OPERATORS,
        "attention.csv": TableKind.ATTENTION,
        "sums.csv": TableKind.ALL_REDUCE,
        "shape.csv": TableKind.CONTEXT_SHAPE,
        "other.csv": None,
    }
    assert all(file.note for file in read.files if not file.rows)


def test_medians_are_read_only_where_there_are_no_runs(tmp_path: Path) -> None:
    medians = write(
        tmp_path / "median.csv",
        [f"{a_line(row)},5" for row in some_rows()],
        header=f"{HEADER},n_runs",
    )
    assert {row.runs for row in read_profiles(tmp_path).iterations} == {5}
    an_iteration_file(tmp_path)
    both = read_profiles(tmp_path)
    assert {row.runs for row in both.iterations} == {1}
    assert next(file.note for file in both.files if file.name == medians.name)


def test_a_flag_may_hold_commas(tmp_path: Path) -> None:
    row = a_row(flag="pcap: derived, not measured")
    read = read_profiles(write(tmp_path / "runs.csv", [a_line(row)]))
    assert read.iterations[0].flag == "pcap: derived, not measured"
