"""Conformal intervals: scores collected by lead, quantiles that cover what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import ArrayLike

from forecasting.conformal import (
    Calibration,
    lead_ladder,
    quantile_paths,
    score_table,
)
from forecasting.fitting import CalibrationRule, fit
from forecasting.methods.harmonic import DAILY_HARMONIC_LEVEL, HARMONIC_AR
from forecasting.methods.method import Method
from forecasting.methods.naive import LastValue
from heliostat.model.forecast import QUANTILE_LEVELS
from tests.forecasting.series import panel, peaks_over, rates

LEVELS = QUANTILE_LEVELS


@given(st.integers(1, 5000))
def test_scores_are_collected_from_the_first_lead_to_the_last(longest: int) -> None:
    ladder = lead_ladder(longest)
    assert ladder[0] == 1
    assert ladder[-1] == longest
    assert (np.diff(ladder) > 0).all()
    assert len(ladder) <= 40


def test_a_quantile_is_the_smallest_score_that_covers_a_new_one() -> None:
    # 99 scores: 90 of the 100 places for a new one lie at or below the 90th smallest.
    errors = np.arange(1.0, 100.0)[:, None]
    assert_array_equal(score_table(errors, (0.5, 0.9, 0.99)), [[50, 90, 99]])


def test_too_few_scores_leave_the_assumed_ones() -> None:
    errors = np.full((5, 2), 0.1)
    assert_array_equal(score_table(errors[:, :1], (0.5, 0.9)), [[0.0, 0.5]])


def test_a_lead_that_was_never_scored_takes_the_lead_before_it() -> None:
    errors = np.full((40, 4), np.nan)
    errors[:, 0] = 0.25
    table = score_table(errors, (0.5, 0.9))
    assert_array_equal(table, np.full((4, 2), 0.25))


def calibration(mean: ArrayLike, peak: ArrayLike) -> Calibration:
    return Calibration(
        leads=np.array([1, 4]),
        mean=np.array(mean),
        peak=np.array(peak),
        mean_until=4,
        peak_until=4,
        floor=0.0,
        peak_ratio=1.0,
        peaks_seen=True,
        scored=50,
    )


@pytest.mark.parametrize("method", [DAILY_HARMONIC_LEVEL, LastValue()], ids=lambda m: m.name)
def test_two_days_of_history_widen_48_hours_past_the_last_scored_lead(method: Method) -> None:
    """A third of two days, 64 steps, is scored: leads up to 50 have their twelve errors."""
    known = panel(rates(2))
    (one,) = fit(method, known, steps=192, levels=LEVELS, rule=CalibrationRule())
    last = one.calibration.mean_until
    assert 40 <= last <= 64
    leads = np.array([last, 2 * last, 3 * last, 192])
    mean, peak = quantile_paths(np.full((1, 4), 100.0), [one.calibration], leads)
    floor = one.calibration.floor
    for paths in (mean[0], peak[0] / one.calibration.peak_ratio):
        scores = (paths[-1] - 100.0) / (100.0 + floor)
        assert_allclose(scores / scores[0], np.sqrt(leads / last))


def test_paths_widen_at_most_twofold() -> None:
    one = calibration([[0.0, 0.1], [0.0, 0.1]], [[0.0, 0.1], [0.0, 0.1]])
    mean, _ = quantile_paths(np.full((1, 4), 100.0), [one], np.array([1, 4, 9, 1000]))
    assert_allclose(mean[0, 1], [110, 110, 115, 120])


def test_long_history_is_scored_up_to_the_last_lead_and_does_not_widen() -> None:
    (one,) = fit(LastValue(), panel(rates(14)), steps=192, levels=LEVELS, rule=CalibrationRule())
    assert one.calibration.mean_until == one.calibration.peak_until == 192


def test_assumed_intervals_do_not_widen() -> None:
    (one,) = fit(LastValue(), panel(rates(0.1)), steps=192, levels=LEVELS, rule=CalibrationRule())
    mean, _ = quantile_paths(np.full((1, 2), 100.0), [one.calibration], np.array([1, 192]))
    assert_array_equal(mean[0, :, 0], mean[0, :, 1])


@given(
    scores=st.lists(st.floats(-5, 5), min_size=8, max_size=8),
    centre=st.lists(st.floats(0, 1e6), min_size=5, max_size=5),
)
def test_quantiles_never_fall_never_are_negative_and_peaks_hold_their_means(
    scores: list[float], centre: list[float]
) -> None:
    tables = np.array(scores).reshape(2, 2, 2)
    one = calibration(tables[0], tables[1])
    mean, peak = quantile_paths(np.array([centre]), [one], np.array([1, 2, 3, 4, 5]))
    for paths in (mean, peak):
        assert (paths >= 0).all()
        assert (np.diff(paths, axis=1) >= 0).all()
    assert (peak >= mean).all()


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_intervals_cover_what_they_promise(noise: float) -> None:
    """Forty series with the same law, each scored on a day that nothing has seen."""
    every = np.array([rates(23, seed=seed, noise=noise) for seed in range(40)])
    tops = np.array([peaks_over(row, seed=seed) for seed, row in enumerate(every)])
    known = panel(*every[:, :-96])
    known.peaks[:] = tops[:, :-96]
    fits = fit(HARMONIC_AR, known, steps=96, levels=LEVELS, rule=CalibrationRule())
    leads = np.arange(1, 97)
    parameters = {
        name: np.concatenate([one.parameters[name] for one in fits]) for name in fits[0].parameters
    }
    centre = HARMONIC_AR.predict(parameters, known, np.array([known.length]), leads)[:, 0]
    mean, peak = quantile_paths(centre, [one.calibration for one in fits], leads)
    for paths, truth in ((mean, every[:, -96:]), (peak, tops[:, -96:])):
        covered = (truth[:, None] <= paths).mean(axis=(0, 2))
        assert_allclose(covered, LEVELS, atol=0.08)
        assert covered[-1] >= 0.95


def test_the_peak_is_learnt_from_minutes_and_not_from_the_largest_mean() -> None:
    known = panel(rates(21, noise=0.02))
    known.peaks[:] = known.values * 3.0
    (one,) = fit(LastValue(), known, steps=4, levels=LEVELS, rule=CalibrationRule())
    mean, peak = quantile_paths(np.array([[100.0]]), [one.calibration], np.array([1]))
    assert_allclose(peak[0] / mean[0], 3.0, rtol=0.1)
