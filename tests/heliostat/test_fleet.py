"""How far the fleet may be trusted: observations grow stale, and those from the future are no fresher."""

from datetime import timedelta

import pytest

from heliostat.model.fleet import MOST_AHEAD, Fleet, PoolObservation, PoolState, Signal
from tests.builders import MINUTE, NOON, a_pool

STALE_AFTER = 3 * MINUTE
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "signal"),
    [
        (STALE_AFTER, Signal.FRESH),
        (STALE_AFTER + SECOND, Signal.STALE),
        (-MOST_AHEAD, Signal.FRESH),
        (-MOST_AHEAD - SECOND, Signal.STALE),
        (timedelta(hours=-1), Signal.STALE),
    ],
)
def test_an_observation_is_fresh_only_while_its_age_is_known_to_be_small(
    age: timedelta, signal: Signal
) -> None:
    seen = PoolState(
        observation=PoolObservation(pool=a_pool(), ready=4),
        observed_at=NOON - age,
        signal=Signal.FRESH,
    )
    fleet = Fleet(at=NOON - age, pools=(seen,)).aged(NOON, STALE_AFTER)
    assert fleet.state(a_pool()).signal is signal
