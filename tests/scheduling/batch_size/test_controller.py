"""Batch sizes: fixed ones stay, Chiron's follow the backpressure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from scheduling.batch_size.controller import BatchSizer, Measured, sizer
from scheduling.batch_size.settings import ChironBatchSize, StaticBatchSize


def measured(gap: float = 0.05, *, rate: float = 100.0, running: int = 8) -> Measured:
    """A period against a promise of 0.1 s."""
    return Measured(
        gap_seconds=gap, promised_gap_seconds=0.1, tokens_per_second=rate, running=running
    )


def chiron(most: int = 256) -> BatchSizer:
    return sizer(ChironBatchSize(), most)


def test_half_the_promised_gap_grows_the_batch_by_half() -> None:
    # P = 0.5: 0.5 · 8 / 0.5 + 0.5 · 8 = 12.
    assert chiron().adapt(measured(0.05)) == 12


def test_a_gap_above_the_promise_halves_the_batch_down_to_one() -> None:
    one = chiron()
    assert [one.adapt(measured(0.11)) for _ in range(5)] == [4, 2, 1, 1, 1]


def test_one_period_grows_it_twice_at_most_and_never_beyond_the_law() -> None:
    one = chiron(most=50)
    assert [one.adapt(measured(0.001, rate=float(n))) for n in range(1, 5)] == [16, 32, 50, 50]


def test_a_larger_batch_that_brings_nothing_is_halved_while_it_binds() -> None:
    one = chiron()
    one.adapt(measured(0.05, rate=100))
    assert one.adapt(measured(0.05, rate=90, running=12)) == 6
    lull = chiron()
    lull.adapt(measured(0.05, rate=100))
    assert lull.adapt(measured(0.05, rate=90, running=3)) == 18


def test_what_fell_after_halving_does_not_halve_again() -> None:
    one = chiron()
    one.adapt(measured(0.2, rate=100))
    assert one.adapt(measured(0.05, rate=50, running=4)) == 6


def test_an_idle_period_changes_nothing() -> None:
    assert chiron().adapt(None) == 8
    assert sizer(StaticBatchSize(), 64).adapt(None) == 64


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e4), st.integers(0, 300)), max_size=30))
def test_sizes_stay_within_one_and_the_law(periods: list[tuple[float, float, int]]) -> None:
    one = chiron(most=100)
    for gap, rate, running in periods:
        assert 1 <= one.adapt(measured(gap, rate=rate, running=running)) <= 100


def test_a_static_size_is_what_was_set_or_what_the_law_allows() -> None:
    assert sizer(StaticBatchSize(most=16), 64).size == 16
    assert sizer(StaticBatchSize(most=100), 64).adapt(measured(9.0)) == 64


def test_what_cannot_be_measured_is_refused() -> None:
    for wrong in (math.nan, math.inf, -1.0):
        with pytest.raises(InvalidInput, match="measured"):
            measured(wrong)
    with pytest.raises(InvalidInput, match="measured"):
        measured(running=-1)
    with pytest.raises(InvalidInput, match="promised"):
        Measured(gap_seconds=1, promised_gap_seconds=0, tokens_per_second=1, running=1)
    with pytest.raises(InvalidInput, match="batch_size"):
        sizer(StaticBatchSize(), 0)
