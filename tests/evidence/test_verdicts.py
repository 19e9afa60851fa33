"""Verdict words follow from figures alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evidence.verdicts import Verdict, of_best, of_gain, of_limit
from simulation.experiments.intervals import Estimate


def between(low: float, high: float) -> Estimate:
    return Estimate(mean=(low + high) / 2, low=low, high=high, count=5)


ONE_SEED = Estimate(mean=0.3, low=None, high=None, count=1)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.26, 0.30, Verdict.HOLDS),
        (0.20, 0.30, Verdict.HOLDS),
        (0.20, 0.29, Verdict.IN_PART),
        (0.05, 0.24, Verdict.IN_PART),
        (-0.01, 0.10, Verdict.NOT),
        (0.0, 0.10, Verdict.NOT),
        (-0.30, -0.10, Verdict.NOT),
        (-0.05, 0.30, Verdict.UNTESTED),
    ],
)
def test_a_gain_holds_when_its_interval_excludes_none_and_reaches_what_was_claimed(
    low: float, high: float, verdict: Verdict
) -> None:
    assert of_gain(between(low, high), 0.25) is verdict


@pytest.mark.parametrize("found", [None, ONE_SEED])
def test_what_has_no_interval_cannot_be_tested(found: Estimate | None) -> None:
    assert of_gain(found, 0.25) is Verdict.UNTESTED
    assert of_limit(found, 0.25) is Verdict.UNTESTED
    assert of_best([found]) is Verdict.UNTESTED


@given(
    low=st.floats(-1, 1), width=st.floats(0, 1), more=st.floats(0, 1), claimed=st.floats(0.01, 0.9)
)
def test_a_larger_gain_is_never_judged_worse(
    low: float, width: float, more: float, claimed: float
) -> None:
    order = [Verdict.NOT, Verdict.UNTESTED, Verdict.IN_PART, Verdict.HOLDS]
    first, second = (of_gain(between(low + by, low + width + by), claimed) for by in (0.0, more))
    # An interval that held nothing and the claim may turn into one that only lies below the claim
    # no more: gains move up.
    assert order.index(second) >= order.index(first)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, Verdict.HOLDS), (0.2, 0.35, Verdict.IN_PART), (0.28, 0.4, Verdict.NOT)],
)
def test_a_limit_holds_when_all_of_the_interval_keeps_it(
    low: float, high: float, verdict: Verdict
) -> None:
    assert of_limit(between(low, high), 0.3) is verdict


def test_the_best_is_better_than_everybody_and_in_part_when_worse_than_nobody() -> None:
    better, alike, worse = between(1, 2), between(-1, 1), between(-2, -1)
    assert of_best([better, better]) is Verdict.HOLDS
    assert of_best([better, alike]) is Verdict.IN_PART
    assert of_best([better, worse]) is Verdict.NOT
    assert of_best([alike, alike]) is Verdict.NOT
    assert of_best([]) is Verdict.NOT_RUN
    assert of_best([better, None]) is Verdict.UNTESTED
    assert of_best([alike, None]) is Verdict.NOT
