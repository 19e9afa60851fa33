"""The rolling-origin backtest: every method at every horizon, and nothing from the future."""

from dataclasses import replace
from datetime import timedelta

import pytest

from forecasting.backtest import CHAMPION, BacktestPlan, backtest, known_at
from forecasting.forecaster import SeasonalForecaster
from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.instants import Span
from tests.builders import NOON, QUARTER
from tests.forecasting.series import DAY, HOUR, demand, rates

NAMES = ("last-value", "harmonic-ar", "week-slot-ar")
PLAN = BacktestPlan(
    window=Span(NOON - 2 * DAY, NOON - DAY), methods=NAMES, every=3 * HOUR, horizon=4 * HOUR
)


Wapes = dict[tuple[str, timedelta], float]


def wapes(series: DemandSeries, plan: BacktestPlan = PLAN) -> Wapes:
    """By method and horizon; a truth without tokens has none."""
    found = backtest(SeasonalForecaster(), [series], plan)
    return {(one.method, one.horizon): one.wape for one in found if one.wape is not None}


def test_every_method_and_the_champion_are_scored_at_every_horizon() -> None:
    found = wapes(demand(rates(24)))
    assert set(found) == {
        (method, horizon)
        for method in (CHAMPION, *NAMES, "same-time-yesterday", "same-time-last-week")
        for horizon in (QUARTER, HOUR, 4 * HOUR)
    }
    assert found[CHAMPION, 4 * HOUR] < found["last-value", 4 * HOUR]


def test_the_future_of_an_instant_is_never_handed_over() -> None:
    """A series that changes after the window gives the same scores where truth is the same."""
    values = rates(24)
    changed = values.copy()
    changed[-96 + 16 :] = 1.0  # after the last bucket that is scored
    assert wapes(demand(values)) == wapes(demand(changed))


def test_a_method_that_cannot_serve_is_not_scored() -> None:
    found = wapes(demand(rates(6)))
    assert CHAMPION in {method for method, _ in found}
    assert not {method for method, _ in found} & {"harmonic-ar", "week-slot-ar"}


def test_known_at_cuts_at_the_instant_and_at_memory() -> None:
    series = demand(rates(10))
    cut = known_at(series, NOON - DAY, 3 * DAY)
    assert cut is not None
    assert (cut.span.start, cut.span.end) == (NOON - 4 * DAY, NOON - DAY)
    assert known_at(series, series.start, DAY) is None
    assert known_at(series, NOON + DAY, 20 * DAY) == series


def test_lengths_must_be_positive() -> None:
    with pytest.raises(InvalidInput, match=r"backtest\.every"):
        replace(PLAN, every=0 * DAY)


def test_measured_series_are_forecast_better_than_by_any_naive_rival() -> None:
    from benchmarks.shared_series import SOURCES, data_folder, read

    folder = data_folder()
    if folder is None:
        pytest.skip(
            "NOT TESTED: HELIOSTAT_DATA is not set: champions are not compared on measured series"
        )
    chat = read(folder, SOURCES[1])
    end = chat.span.end - DAY
    plan = BacktestPlan(
        window=Span(end - 7 * DAY, end), methods=NAMES[:1], every=2 * HOUR, horizon=4 * HOUR
    )
    found = wapes(chat, plan)
    rivals = [
        found[name, HOUR] for name in ("last-value", "same-time-last-week", "same-time-yesterday")
    ]
    assert found[CHAMPION, HOUR] < 0.95 * min(rivals)
