"""Holes in a history: how they are bridged, and that no bridge looks ahead."""

import numpy as np
from numpy import nan
from numpy.testing import assert_allclose, assert_array_equal

from forecasting.grid import Grid
from forecasting.holes import bridge, carry, fade, newest_observed

HOURLY = Grid(start=0, step=3600)


def test_carry_holds_the_last_measurement_and_invents_none_before_the_first() -> None:
    assert_array_equal(carry(np.array([[nan, 3.0, nan, nan, 5.0]])), [[nan, 3, 3, 3, 5]])


def test_the_newest_observed_bucket_is_minus_one_where_there_is_none() -> None:
    values = np.array([[1.0, nan, 2.0], [nan, 3.0, nan], [nan, nan, nan]])
    assert_array_equal(newest_observed(values), [2, 1, -1])


def test_a_residual_fades_by_half_every_hour_of_silence() -> None:
    assert_allclose(fade(np.array([[nan, 8.0, nan, nan, 2.0, nan]]), HOURLY), [[0, 8, 4, 2, 2, 1]])


def test_a_hole_is_bridged_by_the_same_time_yesterday() -> None:
    values = np.arange(48.0)[None].copy()
    values[0, 30:33] = nan
    assert_array_equal(bridge(values, HOURLY)[0, 30:33], [6, 7, 8])


def test_a_hole_of_two_days_repeats_the_day_before_it() -> None:
    values = np.arange(96.0)[None].copy()
    values[0, 30:90] = nan
    bridged = bridge(values, HOURLY)[0]
    assert_array_equal(bridged[30:54], np.r_[6.0:24.0, 24.0:30.0])
    assert_array_equal(bridged[54:78], bridged[30:54])


def test_a_bridge_never_looks_ahead() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random((3, 400)) < 0.4, nan, rng.random((3, 400)))
    for cut in (1, 24, 25, 170, 333):
        for method in (lambda v: bridge(v, HOURLY), lambda v: fade(v, HOURLY), carry):
            assert_array_equal(method(values)[:, :cut], method(values[:, :cut]))
