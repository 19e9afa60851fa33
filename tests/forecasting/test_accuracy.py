"""The accuracy ledger's arithmetic: forecasts beside what came, per horizon, naive rivals beside them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from forecasting.accuracy import AccuracyScorer
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Forecast, ForecastExcerpt, ForecastScore
from tests.builders import NOON, QUARTER
from tests.forecasting.series import DAY, HOUR, demand, key


def issued(
    at: datetime, steps: int, rows: tuple[float, float], *, method: str = "harmonic-ar"
) -> Forecast:
    """The median and the quantile 0.9, both level."""
    return Forecast(
        key=key(),
        issued_at=at,
        start=at,
        step=QUARTER,
        method=method,
        trained_until=at,
        levels=(0.5, 0.9),
        mean=tuple((float(row),) * steps for row in rows),
        peak=tuple((float(row),) * steps for row in rows),
    )


def excerpts(*forecasts: Forecast) -> list[ForecastExcerpt]:
    return [forecast.excerpt() for forecast in forecasts]


def scores(
    forecasts: Sequence[Forecast], truth: DemandSeries
) -> dict[tuple[str, timedelta], ForecastScore]:
    return {(s.method, s.horizon): s for s in AccuracyScorer().score(excerpts(*forecasts), [truth])}


def test_figures_are_what_one_computes_by_hand() -> None:
    """Two forecasts of 100 (median) and 130, one bucket ahead; 80 and 150 come."""
    truth = demand(np.array([100.0, 80.0, 150.0]))  # buckets end at NOON
    asked = [issued(NOON - 2 * QUARTER, 1, (100, 130)), issued(NOON - QUARTER, 1, (100, 130))]
    found = scores(asked, truth)[("harmonic-ar", QUARTER)]
    assert found.scored == 2
    assert found.wape == pytest.approx((20 + 50) / 230)
    assert found.bias == pytest.approx((20 - 50) / 230)
    # Median: 10 and 25; nine tenths: 0.1·50 = 5 and 0.9·20 = 18.
    assert found.pinball == pytest.approx((10 + 5 + 25 + 18) / 4)
    assert found.coverage == ((0.5, 0.5), (0.9, 0.5))


def test_each_horizon_scores_the_bucket_that_ends_there() -> None:
    truth = demand(np.arange(96.0) + 1)
    start = NOON - 95 * QUARTER
    found = scores([issued(start, 95, (50, 50))], truth)
    for steps, horizon in ((1, QUARTER), (4, HOUR), (16, 4 * HOUR)):
        one = found["harmonic-ar", horizon]
        assert one.bias == pytest.approx((50 - (steps + 1)) / (steps + 1))
    assert ("harmonic-ar", DAY) not in found


def test_naive_rivals_stand_beside_on_the_same_buckets() -> None:
    values = np.arange(9.0 * 96) + 1
    found = scores([issued(NOON - DAY, 96, (1, 1))], demand(values))
    first = 8 * 96 + 1  # the truth of the first bucket ahead
    for name, said in (
        ("last-value", first - 1),
        ("same-time-yesterday", first - 96),
        ("same-time-last-week", first - 7 * 96),
    ):
        assert found[name, QUARTER].bias == pytest.approx((said - first) / first)
        assert found[name, QUARTER].scored == 1
    day_ahead = first + 95
    assert found["same-time-yesterday", DAY].bias == pytest.approx(-96 / day_ahead)


def test_a_rival_that_served_is_scored_with_its_own_intervals() -> None:
    values = np.arange(3 * 96.0) + 1
    found = scores([issued(NOON - DAY, 4, (7, 9), method="last-value")], demand(values))
    assert found["last-value", QUARTER].bias == pytest.approx(7 / 193 - 1)


def test_missing_truth_is_not_scored_and_zero_truth_has_no_rate() -> None:
    silent = demand(np.full(8, np.nan))
    assert AccuracyScorer().score(excerpts(issued(NOON - HOUR, 4, (1, 2))), [silent]) == ()
    assert AccuracyScorer().score(excerpts(issued(NOON - HOUR, 4, (1, 2))), []) == ()
    zero = scores([issued(NOON - HOUR, 4, (1, 2))], demand(np.zeros(8)))
    one = zero["harmonic-ar", QUARTER]
    assert (one.wape, one.bias) == (None, None)
    assert one.pinball == pytest.approx((0.5 * 1 + 0.1 * 2) / 2)


def test_a_forecast_on_another_grid_is_not_scored() -> None:
    truth = demand(np.ones(96))
    askew = replace(issued(NOON - HOUR, 4, (1, 2)), start=NOON - HOUR + timedelta(minutes=5))
    assert AccuracyScorer().score(excerpts(askew), [truth]) == ()


def test_horizons_shorter_than_a_step_are_not_scored() -> None:
    """An excerpt of two-hour steps has no bucket that ends after one hour."""
    coarse = replace(issued(NOON, 12, (1, 2)), step=2 * HOUR)
    assert coarse.excerpt().leads == (0, 1, 11)


def test_more_truth_than_it_reaches_for_changes_nothing() -> None:
    values = np.random.default_rng(3).uniform(1, 100, 20 * 96)
    forecasts = [issued(NOON - 2 * DAY, 96, (50, 60)), issued(NOON - DAY, 96, (40, 70))]
    # One learnt its last value nine days before: nobody would still take that for a forecast.
    forecasts.append(replace(issued(NOON - HOUR, 4, (1, 2)), trained_until=NOON - 9 * DAY))
    enough = int((2 * DAY + AccuracyScorer().reach) / QUARTER)
    found = scores(forecasts, demand(values[-enough:]))
    assert found == scores(forecasts, demand(values))
    assert found["last-value", QUARTER].scored == 2
    assert found["same-time-last-week", QUARTER].scored == 3
    assert found["same-time-last-week", DAY].scored == 2
    assert found != scores(forecasts, demand(values[1 - enough :]))
