"""The season's regressors: remembered days give the same bits as regressors made at once."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from forecasting.grid import Grid, LocalCalendar
from forecasting.methods.harmonics import Harmonics

CALENDAR = LocalCalendar(zone="Europe/Berlin")


@pytest.mark.parametrize("late", [0, 900, 7 * 3600 + 421])
@pytest.mark.parametrize(("first", "end"), [(0, 300), (5, 6), (96, 192), (95, 97), (7, 7), (0, 0)])
def test_rows_from_remembered_days_are_those_made_at_once(late: int, first: int, end: int) -> None:
    grid = Grid(start=1_774_569_600 + late, step=900, calendar=CALENDAR)
    for harmonics in (Harmonics(), Harmonics(daily=3, weekly=0, days_off=None)):
        at_once = harmonics.design(grid, np.arange(first, end))
        assert_array_equal(harmonics.rows(grid, first, end), at_once)
