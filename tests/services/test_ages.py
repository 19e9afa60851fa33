"""Ages count from an instant, and from the first look at one that is still to come."""

from datetime import timedelta

from services.control_plane.ages import Ages
from tests.builders import MINUTE, NOON


def test_an_age_counts_from_its_instant() -> None:
    assert Ages().since("plan", NOON, NOON + MINUTE) == NOON


def test_an_instant_that_is_still_to_come_counts_from_the_first_look() -> None:
    ages, ahead = Ages(), NOON + timedelta(hours=2)
    assert ages.since("plan", ahead, NOON) == NOON
    assert ages.since("plan", ahead, NOON + 45 * MINUTE) == NOON
    assert ages.since("plan", ahead, NOON - MINUTE) == NOON - MINUTE, "set back again"


def test_things_are_counted_apart_and_anew_when_they_change() -> None:
    ages, ahead = Ages(), NOON + timedelta(hours=2)
    ages.since("east", ahead, NOON)
    assert ages.since("west", ahead, NOON + MINUTE) == NOON + MINUTE
    assert ages.since("east", NOON + MINUTE, NOON + 2 * MINUTE) == NOON + MINUTE
