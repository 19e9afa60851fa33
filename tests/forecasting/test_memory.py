"""Where a series' memory begins: after its last shift of level, and not at quiet weekends."""

import numpy as np
import pytest

from forecasting.memory import ShiftRule, find_memory
from tests.forecasting.series import Floats, panel, rates

RULE = ShiftRule()


def memory(values: Floats) -> tuple[int, bool]:
    one = panel(values)
    found = find_memory(one.values, one.grid, RULE)
    return one.length - int(found.begins[0]), bool(found.shifted[0])


def test_a_steady_series_with_quiet_weekends_has_not_shifted() -> None:
    assert memory(rates(28)) == (28 * 96, False)


@pytest.mark.parametrize("factor", [5.0, 0.1])
@pytest.mark.parametrize("days_ago", [1.25, 3.0, 9.5])
def test_memory_begins_at_a_level_shift_days_ago(factor: float, days_ago: float) -> None:
    values = rates(28)
    values[-int(days_ago * 96) :] *= factor
    length, shifted = memory(values)
    assert shifted
    assert (days_ago - 2) * 96 <= length <= days_ago * 96


@pytest.mark.parametrize("factor", [8.0, 0.0])
def test_memory_begins_at_a_level_shift_hours_ago(factor: float) -> None:
    values = rates(28)
    values[-10 * 4 :] *= factor
    length, shifted = memory(values)
    assert shifted
    assert abs(length - 40) <= 8


def test_zeros_before_the_first_request_are_not_history() -> None:
    values = rates(28)
    values[: 20 * 96] = 0.0
    assert memory(values) == (8 * 96, False)


def test_a_series_of_zeros_is_known_since_its_first_measurement() -> None:
    values = np.zeros(28 * 96)
    values[:96] = np.nan
    assert memory(values) == (27 * 96, False)


def test_a_series_that_leaps_every_day_has_no_level_to_shift() -> None:
    rng = np.random.default_rng(3)
    values = np.exp(rng.normal(size=28 * 24) * 2).repeat(4)
    values[-40:] *= 8
    assert memory(values) == (28 * 96, False)


def test_nothing_observed_has_no_memory() -> None:
    assert memory(np.full(96, np.nan)) == (0, False)
