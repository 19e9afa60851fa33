"""Rates of consecutive buckets: a column of doubles that reads as a tuple in which None is missing."""

from __future__ import annotations

import pickle
from array import array

import numpy as np
import pytest

from forecasting.panel import column_of
from heliostat.model.demand import Rates

HELD = (1.5, None, 0.0, 2.5)


def rates(*told: float | None) -> Rates:
    return Rates(array("d", [float("nan") if rate is None else rate for rate in told]))


def test_rates_read_as_the_tuple_of_them() -> None:
    found = rates(*HELD)
    assert tuple(found) == HELD
    assert [found[place] for place in range(len(found))] == list(HELD)
    assert found == HELD
    assert found == rates(*HELD)
    assert found != HELD[:3]
    assert hash(found) == hash(HELD)
    assert repr(found) == repr(HELD)


def test_a_missing_rate_is_never_zero() -> None:
    assert rates(None) != rates(0.0)
    assert np.isnan(column_of(rates(None))).all()
    assert np.array_equal(column_of(rates(*HELD)), column_of(HELD), equal_nan=True)


def test_a_part_of_rates_is_rates_and_they_travel_to_other_processes() -> None:
    found = rates(*HELD)[1:3]
    assert isinstance(found, Rates)
    assert found == HELD[1:3]
    assert pickle.loads(pickle.dumps(found)) == found


def test_rates_equal_to_within_a_tolerance_can_be_told() -> None:
    assert rates(1.0, 2.0) == pytest.approx((1.0 + 1e-9, 2.0))
