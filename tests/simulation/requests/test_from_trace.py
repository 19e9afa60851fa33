"""Recorded requests come back as they were, and a row that cannot be served is named by its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from heliostat.errors import InvalidInput, InvalidTrace, UnknownModel
from heliostat.model.names import ModelName, RegionName
from simulation.requests.binning import rates_of
from simulation.requests.from_trace import NOMINAL_START, TraceRequests
from simulation.requests.later import BegunLater
from simulation.requests.rows import RowHomes
from simulation.requests.writing import write_requests
from simulation.workload.readers import parquet
from tests.builders import MINUTE, NOON, a_catalogue
from tests.simulation.requests.sources import (
    NAN,
    drawn,
    everything,
    key,
    rates,
    same,
    traced,
    written,
)
from tests.simulation.workload.samples import AZURE, text_file


def file_of(folder: Path, notes: dict[str, str] | None = None, **changed: Any) -> Path:
    """Three requests, two of `alpha` in the east."""
    columns: dict[str, Any] = {
        "arrival_s": [0.0, 61.5, 61.5],
        "origin": ["east", "east", "west"],
        "model": ["alpha", "alpha", "beta"],
        "tier": ["interactive-fast", "batch", "batch"],
        "input_tokens": [100, 200, 300],
        "output_tokens": [1, 2, 3],
    } | changed
    path = folder / "requests.parquet"
    pl.DataFrame({name: row for name, row in columns.items() if row is not None}).write_parquet(
        path, metadata=notes or {"start_ts": NOON.isoformat()}
    )
    return path


def test_a_written_source_reads_back_the_same(tmp_path: Path) -> None:
    source = drawn(rates(east_alpha=[20, NAN, 30, 0, 0], west_beta=[1, 2, 3, 0, 0]))
    again = traced(written(tmp_path, source))
    before, after = everything(source), everything(again)
    names = [str(source.demands[place]) for place in before.demand]
    assert [str(again.demands[place]) for place in after.demand] == names
    for column in ("arrival_seconds", "input_tokens", "output_tokens"):
        assert np.array_equal(getattr(before, column), getattr(after, column))
    assert again.span == source.span
    assert not again.known(RegionName("east"), NOON + MINUTE)
    assert again.known(RegionName("west"), NOON + MINUTE)


def test_minutes_of_a_drawn_source_are_its_rates() -> None:
    past, run = [5, NAN], [20, NAN, 30, 0]
    arrivals = rates(east_alpha=[*past, *run], west_beta=[*past, 9, 9, 9, 9])
    found = rates_of(drawn(arrivals, begins=NOON + 2 * MINUTE))
    assert found.start == NOON
    for demand in arrivals.demands:
        for column in ("offered", "input_tokens", "output_tokens"):
            wanted = getattr(arrivals.by_demand[demand], column)
            assert np.array_equal(getattr(found.by_demand[demand], column), wanted, equal_nan=True)


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests of one instant may lie in two blocks."""
    arrivals = rates(east_alpha=[40] * 5)
    path = written(tmp_path, drawn(arrivals))
    whole = everything(traced(path))
    for rows in (1, 7, 64):
        monkeypatch.setattr(parquet, "BLOCK_ROWS", rows)
        chunked = traced(path)
        assert same(whole, everything(chunked, timedelta(seconds=17)))
        assert same(whole, everything(chunked))


def test_a_trace_without_origins_is_split_by_shares_and_seed(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        arrival_s=[i / 100 for i in range(6000)],
        model=["alpha"] * 6000,
        input_tokens=[10] * 6000,
        output_tokens=[1] * 6000,
        origin=None,
        tier=None,
    )
    first, again, other = (
        everything(TraceRequests(path, RowHomes(a_catalogue(), models={}, seed=seed)))
        for seed in (1, 1, 2)
    )
    assert same(first, again)
    assert not np.array_equal(first.demand, other.demand)
    demands = traced(path).demands
    east = np.mean([demands[place].origin == "east" for place in first.demand])
    assert east == pytest.approx(0.43 / 0.72, abs=0.02)
    batch = np.mean([demands[place].tier == "batch" for place in first.demand])
    assert batch == pytest.approx(0.25, abs=0.02)


def test_other_names_are_mapped_to_models(tmp_path: Path) -> None:
    path = text_file(tmp_path, "azure.csv", AZURE)
    with pytest.raises(InvalidTrace, match=r"azure.csv:2: 'azure' is not a model .* alpha, beta"):
        traced(path)
    homes = RowHomes(a_catalogue(), models={"azure": ModelName("beta")})
    source = TraceRequests(path, homes)
    assert source.start == datetime(2023, 11, 16, 18, 15, tzinfo=UTC)
    assert everything(source).arrival_seconds[0] == pytest.approx(46.0)
    assert {source.demands[place].model for place in everything(source).demand} == {"beta"}
    with pytest.raises(UnknownModel):
        RowHomes(a_catalogue(), models={"azure": ModelName("gamma")})


def test_a_trace_that_does_not_say_when_starts_on_a_monday(tmp_path: Path) -> None:
    assert traced(file_of(tmp_path, {"kind": "requests"})).start == NOMINAL_START


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"arrival_s": [0.0, 5.0, 4.0]}, r"requests.parquet:3: arrives before the previous row"),
        ({"arrival_s": [-1.0, 5.0, 5.0]}, r"requests.parquet:1: arrives before the start"),
        ({"arrival_s": [0.0, None, 5.0]}, r"requests.parquet:2: the arrival time cannot be read"),
        ({"input_tokens": [1, -1, 1]}, r"requests.parquet:2: input tokens .* at least 0: -1"),
        ({"output_tokens": [1, 1, 20_000_000]}, r"requests.parquet:3: output tokens are too long"),
        (
            {"input_tokens": [1, 5_000_000, 1]},
            r"requests.parquet:2: is overlong: 5000002.*no engine",
        ),
        ({"input_tokens": [1, None, 1]}, r"requests.parquet:2: its tokens are not measured"),
        (
            {"model": ["alpha", "gamma", "beta"]},
            r"requests.parquet:2: 'gamma' is not a model of the fleet and not mapped",
        ),
        (
            {"origin": ["east", "east", "mars"]},
            r"requests.parquet:3: 'mars' is not a region of the fleet; regions are east, west \(2 rows",
        ),
        (
            {"tier": ["batch", "urgent", "batch"]},
            r"requests.parquet:2: 'urgent' is not a tier of alpha; its tiers are interactive-fast,",
        ),
        (
            {"model": ["a/b/c"] * 3, "origin": None, "tier": None},
            r"requests.parquet:1: 'a/b/c' is not a model of the fleet",
        ),
        (
            {"model": None, "origin": None, "tier": None},
            r":1: 'requests' is used for rows without a model",
        ),
    ],
)
def test_a_bad_row_is_named_with_what_was_expected(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidTrace, match=told):
        traced(file_of(tmp_path, **changed))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"input_tokens": [[1], [1], [1]]}, r"input_tokens holds List\(Int64\), not numbers"),
        ({"arrival_s": [NOON, NOON, NOON]}, "arrival_s holds Datetime.*not numbers"),
        ({"arrival_s": [4e8, 4e8, 4e8]}, ":1: arrives more than ten years after the start"),
    ],
)
def test_columns_and_clocks_of_something_else_are_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidTrace, match=told):
        traced(file_of(tmp_path, **changed))


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        (
            {"model": ["alpha", "gamma", "beta"]},
            "map it in the scenario file, under demand: `models: {gamma: MODEL}`",
        ),
        (
            {"origin": ["east", "mars", "east"]},
            "fix the rows, or add one of that name to the fleet",
        ),
        ({"input_tokens": [1, -1, 1]}, "leave it out as I do"),
    ],
)
def test_nobody_is_told_to_skip_rows_whose_names_are_unknown(
    tmp_path: Path, changed: dict[str, Any], remedy: str
) -> None:
    """Leaving them out would leave out every row of that name."""
    with pytest.raises(InvalidTrace) as refused:
        traced(file_of(tmp_path, **changed), remedy="leave it out as I do")
    assert refused.value.remedy == remedy


def test_what_a_row_names_is_kept_and_only_the_rest_is_drawn(tmp_path: Path) -> None:
    rows = 400
    path = file_of(
        tmp_path,
        arrival_s=[float(i) for i in range(rows)],
        origin=["east", None] * (rows // 2),
        model=["mine"] * rows,
        tier=["", "batch"] * (rows // 2),
        input_tokens=[10] * rows,
        output_tokens=[1] * rows,
    )
    homes = RowHomes(a_catalogue(), models={"mine": ModelName("beta")}, seed=3)
    source = TraceRequests(path, homes)
    found = [source.demands[place] for place in everything(source).demand]
    assert {demand.model for demand in found} == {"beta"}
    assert {demand.origin for demand in found[::2]} == {"east"}
    assert len({demand.tier for demand in found[::2]}) > 1
    assert {demand.tier for demand in found[1::2]} == {"batch"}
    assert {demand.origin for demand in found[1::2]} == {"east", "west"}
    assert not source.says_whose


def test_a_mapped_name_may_stand_between_origin_and_tier(tmp_path: Path) -> None:
    path = file_of(tmp_path, model=["my/own", "my/own", "beta"])
    homes = RowHomes(a_catalogue(), models={"my/own": ModelName("alpha")})
    source = TraceRequests(path, homes)
    assert source.says_whose
    assert same(everything(source), everything(traced(file_of(tmp_path))))


def test_bad_rows_may_be_left_out(tmp_path: Path) -> None:
    path = file_of(tmp_path, model=["alpha", "gamma", "beta"])
    source = traced(path, skip_bad_rows=True)
    assert source.requests == 2
    assert list(everything(source).input_tokens) == [100, 300]


def test_an_empty_trace_is_refused(tmp_path: Path) -> None:
    nothing = {
        "arrival_s": pl.Series([], dtype=pl.Float64),
        "input_tokens": pl.Series([], dtype=pl.Int64),
        "output_tokens": pl.Series([], dtype=pl.Int64),
    }
    path = file_of(tmp_path, None, **nothing, origin=None, tier=None, model=None)
    with pytest.raises(InvalidTrace, match="contains no rows"):
        traced(path)


def test_bins_are_no_requests(tmp_path: Path) -> None:
    path = tmp_path / "series.parquet"
    pl.DataFrame({"start_ts": [NOON], "series_id": ["a"], "requests": [1.0]}).write_parquet(path)
    with pytest.raises(InvalidTrace, match="contains bins, not requests"):
        traced(path)


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ({"span_s": "61"}, "whole number of minutes"),
        ({"span_s": "\u00b2"}, "whole number of minutes"),
        ({"span_s": "6" + "0" * 400}, "at most ten years"),
        ({"span_s": "6" + "0" * 5000}, "at most ten years"),
        ({"start_ts": "0001-01-01T00:00:00+14:00"}, "outside the years 1970 to 9000"),
        ({"start_ts": "9999-12-31T23:59:00+00:00"}, "outside the years 1970 to 9000"),
        ({"holes": "[" * 100_000}, "holes: cannot be read"),
        ({"holes": "[1]"}, "holes: cannot be read"),
        ({"holes": '{"east": [["2026-03-02T12:00:00+00:00", "never"]]}'}, "holes: cannot be read"),
    ],
)
def test_broken_metadata_is_named(tmp_path: Path, notes: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidTrace, match=told):
        traced(file_of(tmp_path, {"start_ts": NOON.isoformat()} | notes))


def test_what_comes_before_a_later_begin_is_history(tmp_path: Path) -> None:
    arrivals = rates(east_alpha=[5, NAN, 7, 8])
    whole = traced(written(tmp_path, drawn(arrivals)))
    source = BegunLater(whole, begins=NOON + 2 * MINUTE, ends=NOON + 3 * MINUTE)
    past = source.history()
    assert past.span.start == NOON
    assert np.array_equal(past.by_demand[key()].offered, [5, NAN], equal_nan=True)
    assert len(everything(source)) == 7


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    source = drawn(rates(east_alpha=[0, 0]))
    with pytest.raises(InvalidTrace, match="would be empty"):
        write_requests(source, tmp_path / "out.parquet", notes={})
    with pytest.raises(InvalidTrace, match="cannot be written"):
        write_requests(drawn(rates(east_alpha=[5])), tmp_path / "no" / "out.parquet", notes={})
    assert list(tmp_path.iterdir()) == []


def test_row_groups_are_in_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation.requests.writing.ROW_GROUP", 50)
    source = drawn(rates(east_alpha=[40] * 60))
    path = written(tmp_path, source, seed="7")
    assert pl.read_parquet_metadata(path)["seed"] == "7"
    assert pl.scan_parquet(path).select("arrival_s").collect()["arrival_s"].is_sorted()
    found = everything(traced(path))
    assert np.array_equal(found.arrival_seconds, everything(source).arrival_seconds)
    assert list(tmp_path.iterdir()) == [path]


def test_a_mix_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="mix: gives alpha no requests"):
        RowHomes(a_catalogue(), models={}, mix={})
