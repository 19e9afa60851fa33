"""Means, intervals and paired differences over seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.experiments.intervals import difference, estimate

VALUES = st.floats(-1e6, 1e6)


def test_the_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    assert found.mean == 3.0
    # t(0.975, 4) = 2.7764, standard error = sqrt(2.5 / 5)
    assert found.low == pytest.approx(3 - 2.776445 * 0.7071068, rel=1e-6)
    assert found.high == pytest.approx(3 + 2.776445 * 0.7071068, rel=1e-6)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    found = estimate([7.0])
    assert found is not None
    assert (found.mean, found.low, found.high, found.count) == (7.0, None, None, 1)


def test_nothing_known_has_no_mean_and_an_unknown_is_no_zero() -> None:
    assert estimate([]) is None
    assert estimate([None, None]) is None
    found = estimate([4.0, None])
    assert found is not None
    assert found.mean == 4.0


@given(st.lists(VALUES, min_size=2, max_size=9))
def test_the_interval_holds_the_mean(values: list[float]) -> None:
    found = estimate(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=9))
def test_a_difference_turned_round_changes_its_sign_alone(pairs: list[tuple[float, float]]) -> None:
    ours = {seed: a for seed, (a, _) in enumerate(pairs)}
    theirs = {seed: b for seed, (_, b) in enumerate(pairs)}
    one, other = difference(ours, theirs), difference(theirs, ours)
    assert one is not None
    assert other is not None
    assert one.estimate.mean == -other.estimate.mean
    assert one.excludes_zero == other.excludes_zero


def test_pairing_finds_what_the_spread_over_seeds_would_hide() -> None:
    ours: dict[int, float | None] = {1: 100.0, 2: 200.0, 3: 300.0}
    theirs: dict[int, float | None] = {1: 90.0, 2: 189.0, 3: 291.0}
    found = difference(ours, theirs)
    assert found is not None
    assert found.estimate.mean == 10.0
    assert found.relative == pytest.approx(10 / 190)
    assert found.excludes_zero is True
    noisy = difference(ours, {1: 190.0, 2: 291.0, 3: 89.0})
    assert noisy is not None
    assert noisy.excludes_zero is False


def test_only_seeds_that_both_ran_are_paired() -> None:
    found = difference({1: 5.0, 2: None, 3: 9.0}, {1: 4.0, 2: 1.0})
    assert found is not None
    assert (found.estimate.mean, found.estimate.count, found.excludes_zero) == (1.0, 1, None)
    assert difference({1: 5.0}, {2: 5.0}) is None
