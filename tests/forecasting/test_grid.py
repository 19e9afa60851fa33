"""The calendar of a grid of buckets: local clocks, days off, whole hours."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.grid import Grid, LocalCalendar
from heliostat.errors import InvalidInput


def epochs(*instants: datetime) -> NDArray[np.int64]:
    return np.array([int(instant.timestamp()) for instant in instants])


def test_local_clock_follows_daylight_saving() -> None:
    calendar = LocalCalendar(zone="Europe/Berlin")
    winter, summer = epochs(
        datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)
    )
    local = calendar.local_seconds(np.array([winter, summer]))
    assert list(local - [winter, summer]) == [3600, 7200]


def test_days_off_are_local_weekends_and_holidays() -> None:
    calendar = LocalCalendar(zone="Asia/Tokyo", holidays=frozenset({date(2026, 5, 5)}))
    friday_evening, tuesday, wednesday = epochs(
        datetime(2026, 5, 1, 16, tzinfo=UTC),  # Saturday, one o'clock, in Tokyo
        datetime(2026, 5, 5, 3, tzinfo=UTC),
        datetime(2026, 5, 6, 3, tzinfo=UTC),
    )
    local = calendar.local_seconds(np.array([friday_evening, tuesday, wednesday]))
    assert list(calendar.days_off(local)) == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("minutes", [0, 7, 120])
def test_an_hour_must_be_whole_buckets(minutes: int) -> None:
    with pytest.raises(InvalidInput, match="hour is not a whole number"):
        Grid.of(datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=minutes), LocalCalendar())
