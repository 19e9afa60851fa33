"""Every method by itself: its numbers, its bits in any company, and nothing beyond its origin."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from forecasting.families import FULL_FAMILY
from forecasting.grid import Ints
from forecasting.methods.arima import HarmonicArima
from forecasting.methods.harmonic import DAILY_HARMONIC_AR, HARMONIC_AR
from forecasting.methods.method import Method, stack, take
from forecasting.methods.naive import SAME_TIME_LAST_WEEK, SAME_TIME_YESTERDAY, LastValue
from forecasting.methods.sarima import HourlySarima
from forecasting.methods.slots import WeekSlotAr
from forecasting.panel import Panel
from tests.builders import NOON
from tests.forecasting.series import DAY, Floats, panel, rates

METHODS = FULL_FAMILY.candidates
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
LEADS = np.array([1, 4, 96, 192])


def ahead(method: Method, one: Panel, leads: Ints = LEADS) -> Floats:
    return method.predict(method.fit(one), one, np.array([one.length]), leads)[:, 0]


STORED = {
    "last-value": [786.2, 786.2, 786.2, 786.2],
    "same-time-yesterday": [625.8, 503.6, 786.2, 786.2],
    "same-time-last-week": [1055.3, 632.7, 827.9, 1427.4],
    "daily-harmonic-ar": [737.6, 609.0, 845.7, 850.8],
    "days-off-harmonic-ar": [754.8, 652.6, 1131.8, 1131.8],
    "harmonic-ar": [757.7, 661.3, 1063.3, 1170.8],
    "daily-harmonic-level": [736.1, 602.9, 786.2, 786.2],
    "harmonic-level": [742.7, 588.1, 727.3, 802.4],
    "week-slot-ar": [740.8, 567.9, 1065.8, 1270.6],
    "harmonic-arima": [758.6, 663.8, 1063.4, 1170.8],
    "hourly-sarima": [762.0, 620.4, 839.4, 840.1],
}


def test_naive_rivals_say_what_their_names_say() -> None:
    count = np.arange(16 * 96.0)
    one = panel(count)
    assert_array_equal(ahead(LastValue(), one)[0], [1535, 1535, 1535, 1535])
    assert_array_equal(ahead(SAME_TIME_YESTERDAY, one)[0], [1440, 1443, 1535, 1535])
    assert_array_equal(ahead(SAME_TIME_LAST_WEEK, one)[0], [864, 867, 959, 1055])


def test_same_time_bridges_a_hole_and_falls_back_to_the_last_value() -> None:
    count = np.arange(3 * 96.0)
    count[-96] = np.nan
    assert ahead(SAME_TIME_YESTERDAY, panel(count))[0, 0] == 96
    assert ahead(SAME_TIME_LAST_WEEK, panel(count))[0, 0] == 287


@pytest.mark.parametrize(
    ("method", "tolerance"),
    [(HARMONIC_AR, 0.04), (WeekSlotAr(), 0.06), (HarmonicArima(), 0.04), (HourlySarima(), 0.15)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_models_find_a_season_without_noise(method: Method, tolerance: float) -> None:
    values = rates(29, noise=0.0)
    # From Sunday noon to midnight: no method has to guess that a Monday differs.
    past, future = panel(values[:-96], end=NOON - DAY), values[-96:-48]
    found = ahead(method, past, np.arange(1, 49))[0]
    assert np.abs(found - future).sum() / future.sum() < tolerance


@every_method
def test_no_method_looks_beyond_its_origin(method: Method) -> None:
    values = np.array([rates(20, seed=1), rates(20, seed=2)])
    values[1, 300:400] = np.nan
    one = panel(*values)
    parameters = method.fit(one.until(14 * 96))
    origins = np.array([15 * 96 + 1, 17 * 96 + 2])
    honest = method.predict(parameters, one, origins, LEADS)
    other = values.copy()
    other[:, origins[1] :] = 1e6
    again = method.predict(parameters, panel(*other), origins, LEADS)
    assert_array_equal(honest, again)
    cut = method.predict(parameters, one.until(int(origins[1])), origins, LEADS)
    assert_array_equal(honest, cut)


@every_method
def test_a_series_gets_the_same_bits_in_any_company(method: Method) -> None:
    together = panel(*(rates(16, seed=seed) for seed in range(5)))
    parameters = method.fit(together)
    paths = method.predict(parameters, together, np.array([together.length]), LEADS)
    alone = together.rows([3])
    assert_array_equal(
        method.predict(method.fit(alone), alone, np.array([alone.length]), LEADS), paths[3:4]
    )
    some = stack([take(parameters, [4]), take(parameters, [1])])
    both = together.rows([4, 1])
    assert_array_equal(method.predict(some, both, np.array([both.length]), LEADS), paths[[4, 1]])


@every_method
def test_zeros_stay_zero_and_a_constant_stays_constant(method: Method) -> None:
    found = ahead(method, panel(np.zeros(16 * 96), np.full(16 * 96, 70.0)))
    assert_allclose(found[0], 0.0, atol=1e-6)
    assert_allclose(found[1], 70.0, rtol=0.02)


@pytest.mark.parametrize("method", FULL_FAMILY.candidates[:-2], ids=lambda m: m.name)
@settings(max_examples=15)
@given(data=st.data())
def test_whatever_is_observed_paths_are_finite_and_not_negative(
    method: Method, data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    length = data.draw(st.integers(1, 5)) * 96 + data.draw(st.integers(1, 95))
    values = rng.choice([np.nan, 0.0, 1e-9, 1.0, 1e9], length, p=[0.3, 0.3, 0.1, 0.2, 0.1])
    values[data.draw(st.integers(0, length - 1))] = 5.0
    found = ahead(method, panel(values))
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_methods_give_the_numbers_that_were_stored() -> None:
    """Change them on purpose, and say why in the commit: every stored forecast changes with them."""
    one = panel(rates(21, seed=7))
    assert set(STORED) == {method.name for method in METHODS}
    for method in METHODS:
        # A climb on a flat likelihood may end a little elsewhere on another processor.
        assert_allclose(ahead(method, one)[0], STORED[method.name], rtol=1e-3)


def test_statsmodels_is_imported_by_fits_alone() -> None:
    code = (
        "import sys, forecasting.forecaster, forecasting.fanout, forecasting.backtest;"
        "sys.exit('statsmodels' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_daily_harmonics_serve_a_history_without_a_week() -> None:
    values = rates(4.5, noise=0.0)  # Thursday to Monday
    assert np.isfinite(ahead(DAILY_HARMONIC_AR, panel(values))).all()
