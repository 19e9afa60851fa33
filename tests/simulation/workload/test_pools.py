"""Pools of tenants become one trace: each scaled as a whole, lengths from its own kin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heliostat.errors import InvalidTrace
from simulation.workload.load import LoadedTrace, load_trace
from simulation.workload.pools import merged
from tests.simulation.workload.samples import series_file

NAN = float("nan")


def pool(folder: Path, name: str, *, tokens: bool = True, bins: int = 3) -> LoadedTrace:
    below = folder / name
    below.mkdir()
    values = {f"{name}/a": [600.0, NAN, 60.0][:bins], f"{name}/_total": [600.0, NAN, 60.0][:bins]}
    return load_trace(series_file(below, values, tokens=tokens))


def test_a_pool_is_scaled_and_its_sums_are_left_out(tmp_path: Path) -> None:
    whole = merged([(pool(tmp_path, "large"), 1.0), (pool(tmp_path, "small"), 0.5)])
    assert [one.series_id for one in whole.series] == ["large/a", "small/a"]
    assert np.array_equal(whole.series[1].requests, [300, NAN, 30], equal_nan=True)
    assert np.array_equal(whole.series[1].input_tokens, [30_000, NAN, 3000], equal_nan=True)
    assert any("requests × 0.5" in sentence for sentence in whole.said)


def test_a_tenant_without_lengths_gets_those_of_its_own_pool(tmp_path: Path) -> None:
    known, unknown = pool(tmp_path, "known"), pool(tmp_path, "unknown", tokens=False)
    other = merged([(known, 1.0), (unknown, 1.0)])
    assert np.isnan(other.series[1].input_tokens).all()
    both = pool(tmp_path, "both")
    mixed = LoadedTrace(
        path=both.path,
        format=both.format,
        series=(*both.series, *unknown.series),
        lengths=None,
        kept=1,
        bad=0,
        said=(),
    )
    filled = merged([(mixed, 1.0)])
    assert np.array_equal(filled.series[-1].input_tokens, [60_000, NAN, 6000], equal_nan=True)


def test_pools_on_different_grids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrace, match=r"b/a has 2 bins .* expected 3"):
        merged([(pool(tmp_path, "a"), 1.0), (pool(tmp_path, "b", bins=2), 1.0)])


def test_a_tenant_in_two_pools_is_refused(tmp_path: Path) -> None:
    one = pool(tmp_path, "a")
    with pytest.raises(InvalidTrace, match="several pools contain a/a"):
        merged([(one, 1.0), (one, 1.0)])


def test_lengths_alone_are_no_pool(tmp_path: Path) -> None:
    bare = LoadedTrace(
        path=tmp_path, format=pool(tmp_path, "a").format, series=(), lengths=None,
        kept=0, bad=0, said=(),
    )  # fmt: skip
    with pytest.raises(InvalidTrace, match="no series of arrivals"):
        merged([(bare, 1.0)])
