"""Champions: which method a series gets, and for which reason it keeps the default."""

from datetime import datetime

import numpy as np
import pytest

from forecasting.forecaster import SeasonalForecaster
from forecasting.settings import ForecasterSettings
from heliostat.model.forecast import Champion
from tests.builders import NOON
from tests.forecasting.series import DAY, HOUR, Floats, demand, rates


def select(values: Floats, *, now: datetime = NOON) -> tuple[Champion, ...]:
    return SeasonalForecaster().select([demand(values)], issued_at=now, horizon=HOUR)


def test_a_seasonal_series_gets_a_seasonal_champion_with_its_reason() -> None:
    (found,) = select(rates(28))
    losses = dict(found.losses)
    assert found.method in {"days-off-harmonic-ar", "harmonic-ar", "week-slot-ar"}
    assert losses[found.method] * 0.95 <= min(losses.values())
    assert losses[found.method] < 0.8 * losses["last-value"]
    assert "at 1 h over" in found.reason
    assert "below same-time-last-week" in found.reason or "below last-value" in found.reason
    assert found.since == NOON


def test_a_random_walk_is_best_left_at_its_last_value() -> None:
    rng = np.random.default_rng(5)
    walk = 1000 * np.exp(np.cumsum(rng.normal(size=28 * 96) * 0.02))
    (found,) = select(walk)
    losses = dict(found.losses)
    assert losses["last-value"] < losses["same-time-yesterday"]
    assert losses["last-value"] < 1.1 * losses[found.method]


def test_a_challenger_that_is_hardly_better_does_not_replace_the_default() -> None:
    values = rates(28)
    bold = SeasonalForecaster(ForecasterSettings(challenger_margin=0.0))
    shy = SeasonalForecaster(ForecasterSettings(challenger_margin=0.99))
    (best,) = bold.select([demand(values)], issued_at=NOON, horizon=HOUR)
    (default,) = shy.select([demand(values)], issued_at=NOON, horizon=HOUR)
    assert best.losses == default.losses
    assert best.method == min(best.losses, key=lambda pair: pair[1])[0] != "harmonic-ar"
    assert default.method == "harmonic-ar"
    assert "no challenger beats the default clearly" in default.reason
    assert best.method in default.reason


def test_a_repeated_week_is_best_repeated() -> None:
    rng = np.random.default_rng(6)
    week = np.exp(rng.normal(size=7 * 96))
    (found,) = select(np.tile(week, 4))
    assert found.method == "same-time-last-week"
    assert dict(found.losses)["same-time-last-week"] == pytest.approx(0, abs=1e-9)


def test_what_comes_after_the_issue_instant_never_chooses_a_champion() -> None:
    values = rates(28)
    changed = values.copy()
    changed[-96:] = 5.0
    assert select(values, now=NOON - DAY) == select(changed, now=NOON - DAY)


@pytest.mark.parametrize("days", [0.1, 0.5])
def test_a_history_too_short_to_compare_has_no_champion(days: float) -> None:
    assert select(rates(days)) == ()


def test_only_methods_whose_history_is_there_take_part() -> None:
    (found,) = select(rates(5))
    assert {name for name, _ in found.losses} == {
        "last-value",
        "same-time-yesterday",
        "daily-harmonic-ar",
        "daily-harmonic-level",
    }
