"""The seasonal forecaster: warm as cold, alone as in company, and never a look ahead."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.backtest import known_at
from forecasting.families import FAST_FAMILY, Family
from forecasting.forecaster import SeasonalForecaster
from forecasting.methods.naive import LastValue
from forecasting.settings import ForecasterSettings
from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.names import RegionName
from tests.builders import NOON, QUARTER
from tests.forecasting.series import DAY, HOUR, demand, key, rates

TWO_DAYS = timedelta(hours=48)


def one_forecast(
    series: DemandSeries,
    *,
    now: datetime = NOON,
    forecaster: SeasonalForecaster | None = None,
    champions: Sequence[Champion] = (),
) -> Forecast:
    (found,) = (forecaster or SeasonalForecaster()).forecast(
        [series], issued_at=now, horizon=TWO_DAYS, champions=champions
    )
    return found


def champion(method: str) -> Champion:
    return Champion(key=key(), method=method, since=NOON, reason="test", losses=())


def test_a_warm_forecaster_answers_like_a_cold_one_at_every_step() -> None:
    full = demand(rates(30))
    warm = SeasonalForecaster()
    for ago in range(30, 0, -5):  # across midnight, where parameters are fitted anew
        now = NOON - DAY / 2 - ago * QUARTER + 15 * QUARTER
        known = known_at(full, now, timedelta(days=28))
        assert known is not None
        assert one_forecast(known, now=now, forecaster=warm) == one_forecast(known, now=now)


def test_a_late_revision_of_old_history_changes_a_warm_forecast_like_a_cold_one() -> None:
    values = rates(20)
    warm = SeasonalForecaster()
    before = one_forecast(demand(values), forecaster=warm)
    values[500:600] *= 2
    after = one_forecast(demand(values), forecaster=warm)
    assert after == one_forecast(demand(values))
    assert after != before


@settings(max_examples=10)
@given(later=st.integers(0, 200), factor=st.floats(0, 100))
def test_nothing_after_the_issue_instant_is_used(later: int, factor: float) -> None:
    values = rates(17)
    now = NOON - DAY
    end = len(values) - 96
    changed = values.copy()
    changed[end + later :] *= factor
    changed[-1] = np.nan
    made = one_forecast(demand(values), now=now)
    assert made == one_forecast(demand(changed), now=now)
    assert made.trained_until == now


def test_a_forecast_starts_at_the_bucket_of_issue_when_history_lags() -> None:
    late = demand(rates(20), end=NOON - HOUR)
    found = one_forecast(late, now=NOON + timedelta(minutes=7))
    assert found.start == NOON
    assert found.trained_until == NOON - HOUR
    assert found.steps == 192
    assert "newest measurement is 1 h old" in found.degraded


def test_series_of_every_length_and_step_come_back_in_order() -> None:
    hourly = demand(rates(15)[::4], model="hourly", step=HOUR)
    asked = [
        demand(rates(15), model="long"),
        hourly,
        demand(np.full(96, np.nan), model="never seen"),
        demand(rates(0.1), model="young"),
        demand(rates(15, seed=3), model="long too"),
    ]
    found = SeasonalForecaster().forecast(asked, issued_at=NOON, horizon=TWO_DAYS)
    assert [one.key.demand.model for one in found] == ["long", "hourly", "young", "long too"]
    assert [one.steps for one in found] == [192, 48, 192, 192]


def test_company_does_not_change_a_forecast() -> None:
    many = [demand(rates(15, seed=seed), model=str(seed)) for seed in range(7)]
    together = SeasonalForecaster(ForecasterSettings(batch=3)).forecast(
        many, issued_at=NOON, horizon=TWO_DAYS
    )
    assert together == tuple(one_forecast(one) for one in many)


def test_empty_histories_have_no_forecast_rather_than_zeros() -> None:
    empty = replace(demand(rates(1)), tokens_per_second=(), peak_tokens_per_second=())
    silent = demand(np.full(96, np.nan))
    future = demand(rates(1), end=NOON + 2 * DAY)
    forgotten = demand(rates(3), end=NOON - 20 * DAY)
    for series in (empty, silent, future, forgotten):
        assert SeasonalForecaster().forecast([series], issued_at=NOON, horizon=HOUR) == ()
        assert SeasonalForecaster().select([series], issued_at=NOON, horizon=HOUR) == ()


def test_a_single_measurement_is_forecast_with_assumed_intervals() -> None:
    values = np.full(96, np.nan)
    values[-1] = 100.0
    found = one_forecast(demand(values))
    assert found.method == "last-value"
    assert [row[0] for row in found.mean] == pytest.approx([100, 152.5, 178.75, 257.5])
    assert found.peak[0][0] > found.mean[0][0]
    assert "intervals assumed" in found.degraded


def test_zeros_are_a_measurement_and_forecast_zero() -> None:
    found = one_forecast(demand(np.zeros(20 * 96)))
    assert max(max(row) for row in found.peak) < 1e-3


def test_a_tenant_that_stopped_is_forecast_from_its_silence() -> None:
    values = rates(28)
    values[-40:] = 0.0
    found = one_forecast(demand(values))
    assert "level shift" in found.degraded
    assert max(found.mean[0]) < 1.0


def test_a_champion_is_used_and_an_impossible_one_is_explained() -> None:
    series = demand(rates(20))
    assert one_forecast(series, champions=[champion("week-slot-ar")]).method == "week-slot-ar"
    other = one_forecast(series, champions=[champion("crystal-ball")])
    assert other.method == "harmonic-ar"
    assert other.degraded == "champion crystal-ball is not in this family of methods"


def test_a_series_without_minutes_says_that_its_peaks_are_assumed() -> None:
    values = rates(20)
    found = one_forecast(demand(values, peaks=np.full(len(values), np.nan)))
    assert found.degraded == "no 1-minute peaks observed: peaks assumed"
    assert found.peak[0][0] > found.mean[0][0]


def test_a_region_on_its_own_clock_keeps_its_own_weekend() -> None:
    """Two days ahead, in a zone where Saturday begins ten hours before it does in UTC."""
    zones = ForecasterSettings(zones={RegionName("east"): "Australia/Brisbane"})
    series = demand(rates(20))
    assert one_forecast(series, forecaster=SeasonalForecaster(zones)) != one_forecast(series)


@settings(max_examples=20)
@given(data=st.data())
def test_whatever_comes_in_a_forecast_is_sound(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    length = data.draw(st.integers(1, 3 * 96))
    kinds = [np.nan, 0.0, 1e-300, 1.0, 1e12, -5.0]
    weights = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=6, max_size=6)))
    values = rng.choice(kinds, length, p=weights / weights.sum())
    method = data.draw(st.sampled_from(FAST_FAMILY.candidates)).name
    found = SeasonalForecaster().forecast(
        [demand(values)], issued_at=NOON, horizon=6 * HOUR, champions=[champion(method)]
    )
    if not (values >= 0).any():
        assert found == ()
        return
    mean, peak = np.array(found[0].mean), np.array(found[0].peak)
    assert np.isfinite(mean).all()
    assert np.isfinite(peak).all()
    assert (mean >= 0).all()
    assert (np.diff(mean, axis=0) >= 0).all()
    assert (peak >= mean).all()


def test_settings_say_what_is_wrong_with_them() -> None:
    for zone in ("Mars/Olympus", "America"):
        with pytest.raises(InvalidInput, match=f"unknown time zone '{zone}'"):
            ForecasterSettings(zones={RegionName("east"): zone})
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        ForecasterSettings(levels=(0.5, 1.0))
    with pytest.raises(InvalidInput, match="names must differ"):
        Family(candidates=(LastValue(), LastValue()), defaults=(LastValue(),))
    with pytest.raises(InvalidInput, match="must work on any history"):
        Family(candidates=(), defaults=FAST_FAMILY.defaults[:1])
