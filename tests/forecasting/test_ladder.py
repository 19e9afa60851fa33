"""Which method a history allows, and what is said where it allows only a lesser one."""

from datetime import timedelta

import pytest

from forecasting.families import FAST_FAMILY
from forecasting.ladder import History, choose
from tests.forecasting.series import DAY, HOUR


def history(
    age: timedelta,
    *,
    share: float = 1.0,
    silence: timedelta = timedelta(0),
    shifted: bool = False,
) -> History:
    return History(age=age, observed_share=share, silence=silence, shifted=shifted)


@pytest.mark.parametrize(
    ("age", "method"),
    [
        (28 * DAY, "harmonic-ar"),
        (14 * DAY, "harmonic-ar"),
        (13.9 * DAY, "days-off-harmonic-ar"),
        (7 * DAY, "days-off-harmonic-ar"),
        (6.9 * DAY, "daily-harmonic-level"),
        (2 * DAY, "daily-harmonic-level"),
        (1.9 * DAY, "last-value"),
        (HOUR / 4, "last-value"),
    ],
)
def test_less_history_takes_a_lesser_method(age: timedelta, method: str) -> None:
    assert choose(history(age), None, FAST_FAMILY).method.name == method


def test_the_best_default_is_no_degradation_and_a_lesser_one_says_why() -> None:
    assert choose(history(14 * DAY), None, FAST_FAMILY).degraded == ""
    lesser = choose(history(3 * DAY), None, FAST_FAMILY).degraded
    assert lesser == "harmonic-ar needs 14 d of history, 3 d are there"


def test_a_champion_serves_when_its_history_is_there() -> None:
    choice = choose(history(14 * DAY), "week-slot-ar", FAST_FAMILY)
    assert (choice.method.name, choice.degraded) == ("week-slot-ar", "")


@pytest.mark.parametrize("champion", ["week-slot-ar", "hourly-sarima"])
def test_a_champion_that_cannot_serve_is_replaced_and_named(champion: str) -> None:
    choice = choose(history(8 * DAY), champion, FAST_FAMILY)
    assert choice.method.name == "days-off-harmonic-ar"
    assert f"champion {champion}" in choice.degraded


def test_holes_shorten_a_history_that_has_more_of_them_than_measurements() -> None:
    assert choose(history(20 * DAY, share=0.6), None, FAST_FAMILY).method.name == "harmonic-ar"
    few = choose(history(20 * DAY, share=0.2), None, FAST_FAMILY)
    assert few.method.name == "daily-harmonic-level"


def test_shifts_and_silence_are_said() -> None:
    choice = choose(history(3 * HOUR, shifted=True, silence=2 * HOUR), None, FAST_FAMILY)
    assert choice.degraded.startswith(
        "level shift: only the last 3 h count; newest measurement is 2 h old"
    )
