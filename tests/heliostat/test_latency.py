"""A sketch keeps quantiles within two per cent, merges in any order, and survives the wire."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.latency import RELATIVE_ACCURACY, LatencySketch, merged

seconds = st.floats(min_value=1e-4, max_value=1e5, allow_nan=False)
latencies = st.lists(seconds, min_size=1, max_size=60)


@given(latencies, st.floats(min_value=0, max_value=1))
def test_a_quantile_lies_within_the_stated_accuracy(values: list[float], q: float) -> None:
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    estimate = LatencySketch.of(values).quantile(q)
    assert estimate == pytest.approx(exact, rel=RELATIVE_ACCURACY * 1.01)


@given(latencies, latencies, latencies)
def test_merging_is_commutative_and_associative(
    first: list[float], second: list[float], third: list[float]
) -> None:
    a, b, c = (LatencySketch.of(values) for values in (first, second, third))
    assert a.merge(b) == b.merge(a) == LatencySketch.of(first + second)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


@given(st.lists(seconds, max_size=60))
def test_bytes_give_back_the_same_sketch(values: list[float]) -> None:
    sketch = LatencySketch.of(values)
    assert LatencySketch.from_bytes(sketch.to_bytes()) == sketch


@given(st.binary(max_size=40))
def test_foreign_bytes_are_refused_or_read_never_worse(data: bytes) -> None:
    try:
        sketch = LatencySketch.from_bytes(data)
    except InvalidInput:
        return
    assert LatencySketch.from_bytes(sketch.to_bytes()) == sketch


def test_extreme_latencies_fall_into_the_end_buckets() -> None:
    sketch = LatencySketch.of([0.0, 1e-9, 1e9])
    assert sketch.count == 3
    assert sketch.quantile(0) == pytest.approx(1e-5, rel=0.05)


def test_nothing_recorded_has_no_quantile() -> None:
    assert LatencySketch().quantile(0.5) is None
    assert LatencySketch().share_at_most(1.0) is None


def test_absent_sketches_merge_to_absent_not_to_empty() -> None:
    assert merged([None, None]) is None
    assert merged([None, LatencySketch.of([1.0])]) == LatencySketch.of([1.0])


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_what_is_no_latency_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput, match="is not a latency"):
        LatencySketch.of([value])


def test_the_share_within_a_bound_counts_whole_buckets() -> None:
    sketch = LatencySketch.of([0.1] * 90 + [2.0] * 10)
    assert sketch.share_at_most(1.0) == pytest.approx(0.9)
