"""What every `Forecaster` promises, run on each of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from forecasting.fanout import FanOutForecaster
from forecasting.forecaster import SeasonalForecaster
from heliostat.model.forecast import QUANTILE_LEVELS, Champion, Forecast
from heliostat.ports.forecasts import Forecaster
from simulation.bounds.oracle import OracleForecaster
from tests.builders import NOON
from tests.forecasting.series import DAY, HOUR, demand, key, rates

MANY = [demand(rates(16, seed=seed), model=str(seed)) for seed in range(5)]
FUTURE = [demand(rates(18, seed=seed), model=str(seed), end=NOON + 2 * DAY) for seed in range(5)]


@pytest.fixture(scope="module")
def fan_out() -> Iterator[FanOutForecaster]:
    with FanOutForecaster(lanes=2) as forecaster:
        yield forecaster


@pytest.fixture(params=["in process", "fan-out", "oracle"])
def forecaster(request: pytest.FixtureRequest) -> Forecaster:
    if request.param == "fan-out":
        found: Forecaster = request.getfixturevalue("fan_out")
        return found
    here = SeasonalForecaster()
    return here if request.param == "in process" else OracleForecaster(FUTURE, here)


def test_one_forecast_per_series_in_their_order(forecaster: Forecaster) -> None:
    found = forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)
    assert [one.key for one in found] == [one.key for one in MANY]
    for one in found:
        assert (one.issued_at, one.start, one.step, one.steps) == (NOON, NOON, HOUR / 4, 96)
        assert one.levels == QUANTILE_LEVELS
        assert one.method


def test_nothing_asked_is_nothing_answered(forecaster: Forecaster) -> None:
    assert forecaster.forecast([], issued_at=NOON, horizon=DAY) == ()
    assert forecaster.select([], issued_at=NOON, horizon=HOUR) == ()


def test_short_holed_and_silent_series_raise_nothing(forecaster: Forecaster) -> None:
    holed = rates(16)
    holed[np.random.default_rng(0).random(len(holed)) < 0.7] = np.nan
    odd = [
        demand(holed, model="holed"),
        demand(rates(0.02), model="two buckets"),
        demand(np.full(96, np.nan), model="silent"),
        demand(np.zeros(96), model="zero"),
    ]
    found = forecaster.forecast(odd, issued_at=NOON, horizon=DAY)
    assert [one.key.demand.model for one in found] == ["holed", "two buckets", "zero"]
    forecaster.select(odd, issued_at=NOON, horizon=HOUR)


def test_a_lesser_method_is_said(forecaster: Forecaster) -> None:
    (found,) = forecaster.forecast([demand(rates(3), model="new")], issued_at=NOON, horizon=DAY)
    assert "3 d are there" in found.degraded


def test_quantiles_rise_are_not_negative_and_peaks_hold_means(forecaster: Forecaster) -> None:
    for one in forecaster.forecast(MANY, issued_at=NOON, horizon=DAY):
        mean, peak = np.array(one.mean), np.array(one.peak)
        assert (mean >= 0).all()
        assert (np.diff(mean, axis=0) >= 0).all()
        assert (np.diff(peak, axis=0) >= 0).all()
        assert (peak >= mean).all()


def test_asking_again_changes_nothing(forecaster: Forecaster) -> None:
    first = forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)
    forecaster.forecast(MANY[1:3], issued_at=NOON, horizon=HOUR)
    assert forecaster.forecast(MANY, issued_at=NOON, horizon=DAY) == first


def test_champions_are_found_and_those_without_one_get_the_default(forecaster: Forecaster) -> None:
    champions = forecaster.select(MANY, issued_at=NOON, horizon=HOUR)
    assert [one.key for one in champions] == [one.key for one in MANY]
    for one in champions:
        assert one.since == NOON
        assert one.reason
        assert one.method in dict(one.losses)


def test_a_champion_serves_its_own_series_only(forecaster: Forecaster) -> None:
    if isinstance(forecaster, OracleForecaster):
        pytest.skip("the oracle needs no champions")
    champion = Champion(
        key=key("2"), method="same-time-yesterday", since=NOON, reason="test", losses=()
    )
    found = forecaster.forecast(MANY, issued_at=NOON, horizon=DAY, champions=[champion])
    assert [one.method for one in found].count("same-time-yesterday") == 1
    assert found[2].method == "same-time-yesterday"


def test_fan_out_answers_like_one_process(fan_out: FanOutForecaster) -> None:
    here = SeasonalForecaster()
    champions = here.select(MANY, issued_at=NOON, horizon=HOUR)
    assert fan_out.select(MANY, issued_at=NOON, horizon=HOUR) == champions

    def two_days(forecaster: Forecaster) -> tuple[Forecast, ...]:
        return forecaster.forecast(MANY, issued_at=NOON, horizon=2 * DAY, champions=champions)

    assert two_days(fan_out) == two_days(here)
