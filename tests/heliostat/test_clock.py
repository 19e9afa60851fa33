"""The wall clock never goes back by a little, and follows when somebody sets it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from heliostat.clock import SystemClock
from tests.builders import MINUTE, NOON


@dataclass
class Wall:
    """A wall clock that a test sets."""

    at: datetime = NOON
    told: list[tuple[datetime, datetime]] = field(default_factory=list)

    def read(self) -> datetime:
        return self.at

    def set_back(self, before: datetime, after: datetime) -> None:
        self.told.append((before, after))


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> SystemClock:
    return SystemClock(read=wall.read, set_back=wall.set_back)


def test_it_tells_whole_seconds(wall: Wall, clock: SystemClock) -> None:
    wall.at = NOON + timedelta(seconds=5, microseconds=999_999)
    assert clock.now() == NOON + timedelta(seconds=5)


@pytest.mark.parametrize("back", [timedelta(seconds=1), MINUTE])
def test_a_clock_that_is_slewed_stands_still_until_it_has_caught_up(
    wall: Wall, clock: SystemClock, back: timedelta
) -> None:
    clock.now()
    wall.at = NOON - back
    assert clock.now() == NOON
    wall.at = NOON + timedelta(seconds=1)
    assert clock.now() == wall.at
    assert wall.told == []


def test_a_clock_that_is_set_back_by_more_goes_on_from_there_and_says_so_once(
    wall: Wall, clock: SystemClock
) -> None:
    wall.at = NOON + timedelta(hours=1)
    clock.now()
    wall.at = NOON
    assert [clock.now(), clock.now()] == [NOON, NOON]
    wall.at = NOON + MINUTE
    assert clock.now() == NOON + MINUTE
    assert wall.told == [(NOON + timedelta(hours=1), NOON)]
