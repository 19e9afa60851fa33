"""Requests that people write down themselves, as CSV: told by the header, read by the rules of all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from heliostat.errors import InvalidTrace
from simulation.workload.convert import convert_requests
from simulation.workload.formats import TraceFormat, detect_format
from simulation.workload.load import checked_requests, load_trace
from simulation.workload.readers import lines, plain_csv
from simulation.workload.readers.ledger import RowLedger
from tests.simulation.workload.samples import text_file

ROWS = """\
arrival,input_tokens,output_tokens,model
2026-02-06T10:00:00.250Z,900,60,llama
2026-02-06T10:00:30Z,1200,80,llama
2026-02-06T10:01:30Z,640,120,bloom
"""


def rows_in(path: Path) -> pl.DataFrame:
    ledger = RowLedger(path=path)
    return pl.concat([rows for rows, _ in checked_requests(ledger, TraceFormat.PLAIN)])


def test_a_request_csv_is_told_by_its_header_and_starts_when_its_first_row_says(
    tmp_path: Path,
) -> None:
    path = text_file(tmp_path, "anything", ROWS)
    assert detect_format(path) is TraceFormat.PLAIN
    trace = load_trace(path)
    assert trace.kept == 3
    assert trace.series[0].start == datetime(2026, 2, 6, 10, tzinfo=UTC)
    assert {one.series_id: one.requests.tolist() for one in trace.series} == {
        "llama": [2, 0],
        "bloom": [0, 1],
    }


@pytest.mark.parametrize(
    "second",
    [
        "2026-02-06T10:00:10Z",
        "2026-02-06 10:00:10Z",
        "2026-02-06 10:00:10 UTC",
        "2026-02-06 11:00:10+01",
        "2026-02-06 11:00:10+01:00",
        "2026-02-06T04:30:10-0530",
        "2026-02-06T10:00:10.000000000+00:00",
        '"2026-02-06T10:00:10+00:00"',
    ],
)
def test_instants_are_read_in_every_zone_that_they_name(tmp_path: Path, second: str) -> None:
    text = f"arrival,input_tokens,output_tokens\n2026-02-06T10:00:00Z,1,2\n{second},3,4\n"
    assert rows_in(text_file(tmp_path, "a.csv", text))["arrival_s"].to_list() == [0.0, 10.0]


def test_seconds_count_from_the_first_request_and_say_no_start(tmp_path: Path) -> None:
    text = "output_tokens,note,arrival,input_tokens\n1,x,5.5,10\n2,y,65.25,20\n"
    path = text_file(tmp_path, "a.csv", text)
    assert rows_in(path)["arrival_s"].to_list() == [0.0, 59.75]
    assert load_trace(path).series[0].start is None


def test_a_series_says_of_a_row_what_the_file_says(tmp_path: Path) -> None:
    text = (
        "arrival,input_tokens,output_tokens,tier,origin,model\n"
        "0,1,1,batch,eastus,llama\n1,1,1,,eastus,llama\n2,1,1,batch,,llama\n3,1,1,,, llama\n"
        "4,1,1,batch,eastus,\n"
    )
    found = rows_in(text_file(tmp_path, "a.csv", text))["series"].to_list()
    assert found == [
        "eastus/llama/batch",
        "eastus/llama/",
        "/llama/batch",
        "llama",
        "eastus/requests/batch",
    ]
    bare = "arrival,input_tokens,output_tokens\n0,1,1\n"
    assert rows_in(text_file(tmp_path, "b.csv", bare))["series"].to_list() == ["requests"]


def test_an_empty_count_is_not_measured_and_never_zero(tmp_path: Path) -> None:
    text = "arrival,input_tokens,output_tokens\n0,10,\n1,,7\n2,0,0\n"
    found = rows_in(text_file(tmp_path, "a.csv", text))
    assert found["input_tokens"].to_list() == [10, None, 0]
    assert found["output_tokens"].to_list() == [None, 7, 0]


def test_fields_may_be_quoted_and_lines_end_as_windows_ends_them(tmp_path: Path) -> None:
    quoted = '\ufeff"arrival","input_tokens","output_tokens","model"\r\n"0","1","2","llama"\r\n'
    path = text_file(tmp_path, "a.csv", quoted)
    assert detect_format(path) is TraceFormat.PLAIN
    assert rows_in(path)["series"].to_list() == ["llama"]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            "time,prompt_tokens,output_tokens,model",
            r"a.csv:1: lacks the columns arrival, input_tokens; its header names time, prompt_tokens, "
            r"output_tokens, model; .* must start with arrival,input_tokens,output_tokens and may add "
            r"origin, model, tier",
        ),
        (
            '"arrival","input_tokens"',
            "a.csv:1: lacks the column output_tokens; its header names arr",
        ),
        ("arrival_s,input_tokens,output_tokens", "lacks the column arrival;"),
        (
            "arrival;input_tokens;output_tokens",
            "its header names arrival;input_tokens;output_tokens;",
        ),
        ("Request id,User (name)", "lacks the columns arrival, input_tokens, output_tokens"),
    ],
)
def test_a_table_that_misses_a_column_is_told_which_and_what_its_header_should_be(
    tmp_path: Path, header: str, told: str
) -> None:
    path = text_file(tmp_path, "a.csv", f"{header}\n1,2,3,m\n")
    for wanted in (None, TraceFormat.PLAIN):
        with pytest.raises(InvalidTrace, match=told):
            load_trace(path, wanted=wanted)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = "arrival,input_tokens,output_tokens,arrival\n0,1,2,3\n"
    with pytest.raises(InvalidTrace, match="a column appears twice"):
        load_trace(text_file(tmp_path, "a.csv", text))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2026-02-06T10:00:01,1,2", "arrival is not an instant with a time zone, such as 2026-"),
        ("2026-02-06,1,2", "arrival is not an instant with a time zone"),
        ("61.5,1,2", "arrival is not an instant with a time zone.*: '61.5'"),
        (",1,2", "arrival is not an instant with a time zone.*: ''"),
        ("9999-02-06T10:00:01Z,1,2", "arrival is outside the years 1970 to 9000"),
        ("2026-02-06T09:59:59Z,1,2", "before the previous row"),
        ("2026-02-06T10:00:01Z,many,2", "input_tokens is not a number: 'many'"),
        ("2026-02-06T10:00:01Z,1,-2", "output tokens are not a whole number of at least 0"),
        ("2026-02-06T10:00:01Z,1", "has 2 fields, expected 3"),
        ('2026-02-06T10:00:01Z,"1,000",2', "has 4 fields, expected 3"),
    ],
)
def test_a_bad_row_is_refused_by_the_rules_of_all_traces(
    tmp_path: Path, row: str, complaint: str
) -> None:
    text = f"arrival,input_tokens,output_tokens\n2026-02-06T10:00:00Z,1,2\n{row}\n"
    path = text_file(tmp_path, "a.csv", text)
    with pytest.raises(InvalidTrace, match=f":3: .*{complaint}"):
        load_trace(path)
    assert load_trace(path, skip_bad_rows=True).kept == 1


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2026-02-06T10:00:01Z,1,2", "arrival is not a number: '2026-02-06T10:00:01Z'"),
        ("1770372000,1,2", "more than ten years in seconds; use seconds from the first request"),
    ],
)
def test_a_file_keeps_to_one_clock(tmp_path: Path, row: str, complaint: str) -> None:
    text = f"arrival,input_tokens,output_tokens\nno time,1,2\n0,1,2\n{row}\n"
    path = text_file(tmp_path, "a.csv", text)
    trace = load_trace(path, skip_bad_rows=True)
    assert (trace.kept, trace.bad) == (1, 2)
    assert complaint in trace.said[0]


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text_file(tmp_path, "a.csv", f"\n\n{ROWS}")
    whole = rows_in(path)
    for size in (1, 7, 64):
        monkeypatch.setattr(plain_csv, "BLOCK_BYTES", size)
        monkeypatch.setattr(plain_csv, "_PEEK_BYTES", size)
        monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 1024)
        assert rows_in(path).equals(whole)


def test_converted_to_parquet_it_holds_the_same_requests(tmp_path: Path) -> None:
    path, target = text_file(tmp_path, "a.csv", ROWS), tmp_path / "a.parquet"
    convert_requests(path, target, kind=TraceFormat.PLAIN)
    before, after = load_trace(path), load_trace(target)
    assert after.format is TraceFormat.REQUESTS
    assert [one.series_id for one in after.series] == [one.series_id for one in before.series]
    for one, other in zip(before.series, after.series, strict=True):
        assert one.start == other.start
        for column, again in zip(one.measures, other.measures, strict=True):
            assert column.tolist() == again.tolist()
