"""Every format is told apart and read; what is wrong with a row is said with its line, never guessed away."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidTrace
from simulation.workload.formats import TraceFormat, detect_format
from simulation.workload.load import LoadedTrace, load_trace
from simulation.workload.readers.ledger import RowLedger
from simulation.workload.readers.lines import line_blocks
from tests.simulation.workload import samples
from tests.simulation.workload.samples import requests_file, series_file, servegen_folder, text_file


@pytest.mark.parametrize(
    ("text", "kind", "rows", "start"),
    [
        (samples.AZURE, TraceFormat.AZURE, 3, datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC)),
        (samples.AZURE_2024, TraceFormat.AZURE, 2, datetime(2024, 5, 10, tzinfo=UTC)),
        (samples.BURSTGPT, TraceFormat.BURSTGPT, 3, None),
        (samples.BURSTGPT_3, TraceFormat.BURSTGPT, 2, None),
        (samples.MOONCAKE, TraceFormat.MOONCAKE, 3, None),
    ],
)
def test_text_traces_are_told_apart_by_what_they_hold(
    tmp_path: Path, text: str, kind: TraceFormat, rows: int, start: datetime | None
) -> None:
    path = text_file(tmp_path, "anything.txt", text)
    assert detect_format(path) is kind
    trace = load_trace(path)
    assert (trace.kept, trace.bad) == (rows, 0)
    assert sum(one.requests.sum() for one in trace.series) == rows
    assert trace.series[0].start == start


def test_requests_fall_into_minutes_from_the_first_arrival(tmp_path: Path) -> None:
    (series,) = load_trace(text_file(tmp_path, "a.csv", samples.AZURE)).series
    assert series.requests.tolist() == [2, 1]
    assert series.input_tokens.tolist() == [374 + 396, 879]
    assert series.output_tokens.tolist() == [44 + 109, 55]
    assert series.step == timedelta(minutes=1)


def test_burstgpt_models_are_series_of_their_own(tmp_path: Path) -> None:
    trace = load_trace(text_file(tmp_path, "b.csv", samples.BURSTGPT))
    assert {one.series_id: one.requests.tolist() for one in trace.series} == {
        "ChatGPT": [2, 0],
        "GPT-4": [0, 1],
    }


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(tmp_path: Path) -> None:
    text = "\ufeff" + samples.AZURE.replace("\n", "\r\n")
    assert load_trace(text_file(tmp_path, "a.csv", text)).kept == 3


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2023-11-16 18:15:47,1", "has 2 fields, expected 3"),
        ("yesterday,1,2", "not a UTC instant: 'yesterday'"),
        ("2023-11-16 18:15:47+02:00,1,2", "not a UTC instant"),
        ("2023-11-16 18:15:47,many,2", "ContextTokens is not a number: 'many'"),
        ("2023-11-16 18:15:47,1,", "GeneratedTokens is not a number"),
        ("2023-11-16 18:15:47,-1,2", "not a whole number of at least 0"),
        ("2023-11-16 18:15:47,1.5,2", "not a whole number of at least 0"),
        ("2023-11-16 18:15:47,99000000,2", "are too long"),
        ("2023-11-16 18:15:47,nan,2", "is not a number"),
        ("2023-11-16 17:00:00,1,2", "before the previous row"),
        ("2044-11-16 18:15:47,1,2", "more than ten years after"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_what_was_kept(
    tmp_path: Path, row: str, complaint: str
) -> None:
    head, first, *rest = samples.AZURE.splitlines()
    path = text_file(tmp_path, "a.csv", "\n".join([head, first, row, *rest]))
    with pytest.raises(InvalidTrace, match=r":3: .*1 rows kept") as refused:
        load_trace(path)
    assert complaint in str(refused.value)
    assert refused.value.kept == 1
    assert "--skip-bad-rows" in refused.value.remedy


def test_skipped_rows_are_counted_aloud_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = samples.AZURE + "nonsense\n2023-11-16 18:17:00,5,5\n"
    trace = load_trace(text_file(tmp_path, "a.csv", text), skip_bad_rows=True)
    assert (trace.kept, trace.bad) == (4, 1)
    assert "1 bad row was left out, 4 kept (line 5: has 1 fields" in trace.said[0]


def test_one_row_from_the_future_does_not_make_all_others_late(tmp_path: Path) -> None:
    head, *rows = samples.AZURE.splitlines()
    text = "\n".join([head, rows[0], "2044-01-01 00:00:00,1,1", *rows[1:]])
    trace = load_trace(text_file(tmp_path, "a.csv", text), skip_bad_rows=True)
    assert (trace.kept, trace.bad) == (3, 1)


@pytest.mark.parametrize(
    "line", ["[1]", '{"timestamp": 0}', '{"timestamp": true}', "{", "[" * 5000]
)
def test_broken_json_lines_are_bad_rows(tmp_path: Path, line: str) -> None:
    path = text_file(tmp_path, "m.jsonl", samples.MOONCAKE + line + "\n")
    with pytest.raises(InvalidTrace, match=":4: "):
        load_trace(path)
    assert load_trace(path, skip_bad_rows=True).kept == 3


@pytest.mark.parametrize("name", ["nothing.csv", "folder"])
def test_what_is_not_there_or_no_trace_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidTrace, match=name):
        detect_format(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"PAR1 broken", b"a,b\n1,2\n", bytes(range(256))])
def test_files_in_no_format_of_ours_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(InvalidTrace):
        load_trace(path)


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrace, match="contains no rows"):
        load_trace(text_file(tmp_path, "a.csv", samples.AZURE.splitlines()[0] + "\n"))


def test_a_request_parquet_is_read_with_the_start_in_its_metadata(tmp_path: Path) -> None:
    trace = load_trace(requests_file(tmp_path, [0.0, 30.0, 61.0]))
    assert trace.series[0].requests.tolist() == [2, 1]
    assert trace.series[0].start == datetime(2025, 4, 7, 16, tzinfo=UTC)


def test_unsorted_request_parquet_is_refused_by_row(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrace, match=r":3: .*sort the file"):
        load_trace(requests_file(tmp_path, [0.0, 30.0, 10.0]))


def test_lengths_without_arrivals_are_lengths_only(tmp_path: Path) -> None:
    trace = load_trace(requests_file(tmp_path, [None, None], tokens=200))
    assert trace.series == ()
    assert trace.lengths is not None
    assert trace.lengths.prompt.mean == 200
    assert "no arrival times" in trace.said[0]


def test_a_hole_in_a_series_stays_missing_and_a_zero_stays_zero(tmp_path: Path) -> None:
    (series,) = load_trace(series_file(tmp_path, {"a": [5, None, 0]})).series
    assert np.isnan(series.requests[1])
    assert series.requests[[0, 2]].tolist() == [5, 0]
    assert np.isnan(series.input_tokens[1])


def test_absent_rows_of_a_series_are_missing_and_counted(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"a": [1, 2, 3, 4]})
    pl.read_parquet(path).filter(pl.col("requests") != 3).write_parquet(path)
    trace = load_trace(path)
    assert np.isnan(trace.series[0].requests[2])
    assert any("1 bins have no row" in said for said in trace.said)


def test_unsorted_series_rows_are_sorted_and_that_is_said(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"a": [1, 2, 3]})
    pl.read_parquet(path).reverse().write_parquet(path)
    trace = load_trace(path)
    assert trace.series[0].requests.tolist() == [1, 2, 3]
    assert any("sorted" in said for said in trace.said)


def test_a_series_bin_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"a": [1, 2]})
    frame = pl.read_parquet(path)
    pl.concat([frame, frame.tail(1)]).write_parquet(path)
    with pytest.raises(InvalidTrace, match="twice"):
        load_trace(path)


def test_a_series_bin_off_the_grid_is_refused(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"a": [1, 2, 3]})
    frame = pl.read_parquet(path)
    late = pl.when(pl.col("requests") == 3).then(pl.lit(77)).otherwise(0)
    frame.with_columns(pl.col("start_ts") + pl.duration(seconds=late)).write_parquet(path)
    with pytest.raises(InvalidTrace, match="not start on the grid"):
        load_trace(path)


def test_negative_sums_in_a_series_are_bad_rows(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"a": [1, -2, 3]})
    with pytest.raises(InvalidTrace, match=":2: requests may not be -2"):
        load_trace(path)


def test_servegen_clients_are_series_and_lengths_come_from_their_histograms(tmp_path: Path) -> None:
    pool = servegen_folder(tmp_path)
    assert detect_format(pool) is TraceFormat.SERVEGEN
    trace = load_trace(pool)
    first, second = trace.series
    assert (first.series_id, second.series_id) == ("client-0", "client-1")
    assert first.requests[:2].tolist() == [900, 300]
    assert np.isnan(first.requests[2])
    assert second.requests.tolist() == [1200, 0, 600]
    assert first.input_tokens[0] == 900 * 200
    assert np.isnan(second.input_tokens).all()
    assert first.start is None
    assert any("1 of 2 clients have no request lengths" in said for said in trace.said)


def test_one_servegen_client_is_a_trace_as_well(tmp_path: Path) -> None:
    pool = servegen_folder(tmp_path)
    assert len(load_trace(pool / "chunk-1-trace.csv").series) == 1


def test_servegen_windows_out_of_order_are_refused_by_line(tmp_path: Path) -> None:
    pool = servegen_folder(tmp_path)
    text_file(pool, "chunk-1-trace.csv", "600,1,1,Gamma,1,1\n0,1,1,Gamma,1,1\n")
    with pytest.raises(InvalidTrace, match=r"chunk-1-trace\.csv:2"):
        load_trace(pool)


def test_broken_servegen_histograms_are_refused_by_file(tmp_path: Path) -> None:
    pool = servegen_folder(tmp_path)
    text_file(pool, "chunk-0-dataset.json", '{"0": {"input_tokens": "os.system(1)"}}')
    with pytest.raises(InvalidTrace, match="chunk-0-dataset"):
        load_trace(pool)


@given(st.binary(max_size=300), st.integers(1, 64))
def test_blocks_of_any_size_give_the_lines_of_the_file(content: bytes, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(content)
        frames = list(line_blocks(RowLedger(path=path), block_bytes=block))
    found = [row for frame in frames for row in frame.iter_rows()]
    texts = content.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    stripped = pl.Series(texts, dtype=pl.String).str.strip_chars().to_list()
    assert found == [(i, text) for i, text in enumerate(stripped, start=1) if text]


CELL = st.one_of(
    st.text(max_size=12).filter(lambda text: "\n" not in text and "\r" not in text),
    st.integers(-5, 10**9).map(str),
    st.sampled_from(["2023-11-16 18:15:46.68", "2024-01-01T00:00:00Z", "nan", "1e400", ""]),
)
ROWS = st.lists(st.lists(CELL, min_size=1, max_size=7).map(",".join), max_size=12)
HEADERS = st.sampled_from(
    [
        samples.AZURE.splitlines()[0],
        samples.BURSTGPT.splitlines()[0],
        "arrival,input_tokens,output_tokens,tier",
        '{"timestamp": 0}',
        "",
    ]
)


@given(HEADERS, ROWS)
def test_any_text_gives_kept_plus_bad_rows_or_one_typed_error(header: str, rows: list[str]) -> None:
    trace = _read_text("\n".join([header, *rows]), "x.csv")
    if trace is not None:
        filled = [row for row in rows if pl.Series([row]).str.strip_chars()[0]]
        body = len(filled) + (header.startswith("{"))
        assert trace.kept + trace.bad == body
        assert sum(one.requests.sum() for one in trace.series) == trace.kept


@given(ROWS)
def test_any_servegen_text_is_read_or_refused_with_a_typed_error(rows: list[str]) -> None:
    trace = _read_text("\n".join(["0,1,1,Gamma,1,1", *rows]), "chunk-7-trace.csv")
    if trace is not None:
        assert trace.kept >= 1


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_damaged_parquet_is_a_typed_error(noise: bytes, place: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = series_file(Path(folder), {"a": [1, 2, 3]})
        content = bytearray(path.read_bytes())
        content[place : place + len(noise)] = noise
        path.write_bytes(bytes(content))
        try:
            trace = load_trace(path)
        except InvalidTrace:
            return
        for one in trace.series:  # damage that nobody can see still leaves counts that can be
            assert np.isfinite(one.requests).all()
            assert (one.requests >= 0).all()


def _read_text(text: str, name: str) -> LoadedTrace | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return load_trace(text_file(Path(folder), name, text), skip_bad_rows=True)
        except InvalidTrace:
            return None
