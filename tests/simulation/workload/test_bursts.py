"""The burst test strikes at regular minutes and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from simulation.arrivals import ArrivalRates
from simulation.workload.bursts import BurstTest, with_bursts
from simulation.workload.synthesis import synthesise
from tests.builders import MINUTE, NOON, a_catalogue
from tests.simulation.requests.sources import NAN, key, rates

HOUR = timedelta(hours=1)


def struck(arrivals: ArrivalRates, test: BurstTest, begins: Any = NOON) -> list[int]:
    """The minutes whose requests were multiplied."""
    before = arrivals.by_demand[key()].offered
    after = with_bursts(arrivals, test, begins).by_demand[key()].offered
    assert set(after / before) <= {1.0, float(test.factor)}
    return list(np.flatnonzero(after != before))


def test_the_papers_test_takes_each_hours_first_minute_from_hour_25_on() -> None:
    assert struck(rates(east_alpha=[1] * 60 * 28), BurstTest()) == [25 * 60, 26 * 60, 27 * 60]


def test_hours_count_from_the_begin_of_the_run() -> None:
    test = BurstTest(after=timedelta(0), length=2 * MINUTE)
    found = struck(rates(east_alpha=[1] * 180), test, NOON + 30 * MINUTE)
    assert found == [30, 31, 90, 91, 150, 151]


def test_tokens_follow_and_holes_stay() -> None:
    arrivals = rates(east_alpha=[5, NAN, 5])
    column = with_bursts(arrivals, BurstTest(after=timedelta(0), every=MINUTE), NOON).by_demand[
        key()
    ]
    assert np.array_equal(column.offered, [40, NAN, 40], equal_nan=True)
    assert np.array_equal(column.input_tokens, [40_000, NAN, 40_000], equal_nan=True)


@given(st.integers(1, 30), st.integers(0, 90), st.integers(1, 30), st.integers(1, 20))
def test_the_share_of_struck_minutes_is_length_over_period(
    length: int, after: int, more: int, factor: int
) -> None:
    test = BurstTest(
        factor=factor + 1,
        after=after * MINUTE,
        every=(length + more) * MINUTE,
        length=length * MINUTE,
    )
    minutes = after + 10 * (length + more)
    assert len(struck(rates(east_alpha=[1] * minutes), test)) == 10 * length


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 0},
        {"after": -HOUR},
        {"length": 2 * HOUR},
        {"length": timedelta(0)},
        {"every": timedelta(seconds=90)},
    ],
)
def test_a_senseless_test_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="burst"):
        BurstTest(**wrong)


def test_shared_bursts_strike_all_regions_at_once_and_own_ones_do_not() -> None:
    """Of minutes far above their hour's median, what is loud in the east is loud in the west."""

    def together(shared: bool) -> float:
        arrivals = synthesise(
            a_catalogue(), start=NOON, days=7, busy_replicas=400, seed=3, shared_bursts=shared
        )
        loud = []
        for region in ("east", "west"):
            hours = arrivals.by_demand[key(region)].offered.reshape(-1, 60)
            loud.append((hours / np.median(hours, axis=1, keepdims=True) > 3).ravel())
        return float((loud[0] & loud[1]).sum() / loud[0].sum())

    assert together(True) > 0.8
    assert together(False) < 0.1
