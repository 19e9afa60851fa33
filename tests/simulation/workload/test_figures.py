"""Figures of a trace are those of its numbers: missing is left out, quantiles hold within one per cent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput, InvalidTrace
from simulation.workload.convert import convert_requests, convert_series
from simulation.workload.describe import describe
from simulation.workload.figures import autocorrelation, burstiness, series_figures
from simulation.workload.formats import TraceFormat
from simulation.workload.lengths import LengthHistogram
from simulation.workload.load import load_trace
from simulation.workload.series import LoadSeries, total_of
from tests.simulation.workload import samples
from tests.simulation.workload.samples import requests_file, series_file, text_file

MINUTE = timedelta(minutes=1)


def a_series(requests: list[float], step: timedelta = MINUTE, name: str = "s") -> LoadSeries:
    column = np.array(requests, dtype=float)
    return LoadSeries(
        series_id=name,
        start=None,
        step=step,
        requests=column,
        input_tokens=column * 100,
        output_tokens=column * 10,
    )


def test_rates_are_per_second_and_holes_count_in_no_mean() -> None:
    figures = series_figures(a_series([60, float("nan"), 120]))
    assert figures.mean_per_second == 1.5
    assert figures.peak_per_second == 2
    assert figures.trough_per_second == 1
    assert figures.peak_to_trough == 2
    assert figures.missing_bins == 1


def test_a_cut_off_last_minute_is_no_trough() -> None:
    assert series_figures(a_series([60, 60, 1]), cut_off=True).trough_per_second == 1
    assert series_figures(a_series([60, 60, 1])).trough_per_second < 1


def test_a_trough_of_zero_gives_no_ratio() -> None:
    assert series_figures(a_series([0, 60])).peak_to_trough is None


def test_a_daily_cycle_is_seen_and_a_week_needs_two() -> None:
    day = [100 + 50 * np.sin(2 * np.pi * hour / 24) for hour in range(24)]
    figures = series_figures(a_series(day * 5, timedelta(hours=1)))
    assert figures.autocorrelation_day == pytest.approx(1)
    assert figures.autocorrelation_week is None


def test_a_flat_load_has_no_autocorrelation() -> None:
    assert autocorrelation(np.ones(100), 24) is None


def test_bursts_are_told_from_the_median_minute_of_their_hour() -> None:
    hour = [10.0] * 59 + [80.0]
    found = dict(burstiness(np.array(hour), MINUTE) or ())
    assert found[0.5] == 1
    assert found[1.0] == 8
    assert burstiness(np.ones(48), timedelta(hours=1)) is None


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=200), st.floats(0, 1))
def test_length_quantiles_hold_within_one_per_cent(lengths: list[int], level: float) -> None:
    histogram = LengthHistogram()
    histogram.add(np.array(lengths, dtype=float))
    rank = max(1, int(np.ceil(level * len(lengths))))
    exact = sorted(lengths)[rank - 1]
    found = histogram.quantile(level)
    assert found is not None
    assert abs(found - exact) <= max(0.5, 0.0101 * exact + 1)
    assert histogram.mean == pytest.approx(np.mean(lengths))


def test_unmeasured_lengths_are_left_out() -> None:
    histogram = LengthHistogram()
    histogram.add(np.array([float("nan"), 10]))
    assert (histogram.total, histogram.mean) == (1, 10)
    assert LengthHistogram().quantile(0.5) is None


def test_a_total_misses_what_one_of_its_parts_misses() -> None:
    total = total_of("t", [a_series([1, float("nan")]), a_series([1, 1], name="u")])
    assert total.requests[0] == 2
    assert np.isnan(total.requests[1])
    with pytest.raises(InvalidInput):
        total_of("t", [a_series([1]), a_series([1, 1])])


def test_sums_in_a_series_file_do_not_count_twice(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"p/_total": [5, 5], "p/a": [2, 3], "p/b": [3, 2]})
    figures = describe(load_trace(path))
    assert figures.total is not None
    assert figures.total.requests == 10
    assert [one.series_id for one in figures.series] == ["p/a", "p/b"]
    assert any("p/_total" in note for note in figures.notes)


def test_a_request_trace_is_described_with_its_lengths(tmp_path: Path) -> None:
    figures = describe(load_trace(text_file(tmp_path, "a.csv", samples.AZURE)))
    assert figures.rows_kept == 3
    assert figures.prompt is not None
    assert figures.prompt.mean == pytest.approx((374 + 396 + 879) / 3)
    assert figures.total is not None
    assert figures.total.mean_output_tokens == pytest.approx((44 + 109 + 55) / 3)


@pytest.mark.parametrize("text", [samples.AZURE, samples.BURSTGPT, samples.MOONCAKE])
def test_converted_requests_read_back_as_the_same_trace(tmp_path: Path, text: str) -> None:
    source = text_file(tmp_path, "source", text)
    before = load_trace(source)
    ledger = convert_requests(source, tmp_path / "out.parquet", kind=before.format)
    after = load_trace(tmp_path / "out.parquet")
    assert after.format is TraceFormat.REQUESTS
    assert ledger.kept == after.kept == before.kept
    assert [one.series_id for one in after.series] == [one.series_id for one in before.series]
    for one, other in zip(before.series, after.series, strict=True):
        assert one.requests.tolist() == other.requests.tolist()
        assert one.output_tokens.tolist() == other.output_tokens.tolist()
        assert one.start == other.start


def test_converted_series_read_back_with_their_holes(tmp_path: Path) -> None:
    source = series_file(tmp_path, {"a": [5, None, 0]}, zone="Asia/Shanghai")
    assert convert_series(load_trace(source), tmp_path / "out.parquet") == 3
    after = load_trace(tmp_path / "out.parquet")
    assert np.isnan(after.series[0].requests).tolist() == [False, True, False]
    assert after.time_zone == "Asia/Shanghai"
    assert after.series[0].step == timedelta(minutes=10)


def test_a_refused_conversion_leaves_no_file(tmp_path: Path) -> None:
    source = text_file(tmp_path, "a.csv", samples.AZURE + "broken\n")
    with pytest.raises(InvalidTrace):
        convert_requests(source, tmp_path / "out.parquet", kind=TraceFormat.AZURE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_bins_cannot_become_requests_nor_lengths_a_series(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        convert_requests(tmp_path, tmp_path / "o", kind=TraceFormat.SERIES)
    with pytest.raises(InvalidInput):
        convert_series(load_trace(requests_file(tmp_path, [None])), tmp_path / "o")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    source = text_file(tmp_path, "a.csv", samples.AZURE)
    with pytest.raises(InvalidTrace, match="cannot be written"):
        convert_series(load_trace(source), tmp_path / "no" / "out.parquet")
    with pytest.raises(InvalidTrace, match="cannot be written"):
        convert_requests(source, tmp_path / "no" / "out.parquet", kind=TraceFormat.AZURE)


def test_blocks_do_not_change_what_is_counted(tmp_path: Path) -> None:
    """Half a million rows span several blocks of lines."""
    rows = 20_000
    frame = pl.DataFrame({"at": np.arange(rows) / 10}).select(
        pl.format("{},m,10,5,15,API log", pl.col("at"))
    )
    text = samples.BURSTGPT.splitlines()[0] + "\n" + "\n".join(frame.to_series()) + "\n"
    trace = load_trace(text_file(tmp_path, "b.csv", text))
    assert trace.kept == rows
    assert trace.series[0].requests[:-1].tolist() == [600] * (rows // 600)
