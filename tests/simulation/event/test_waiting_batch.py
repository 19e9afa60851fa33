"""Backlogs that are told minute by minute: what was kept from the last telling never shows."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import RegionName
from simulation.clients import Clients
from simulation.event.layout import BACKLOG_BINS
from simulation.event.setting import Places, lay_out
from simulation.event.waiting_batch import WaitingBatch
from simulation.local_policy import LocalPolicy
from tests.builders import MINUTE, NOON, a_catalogue
from tests.simulation.event.builders import DEMANDS

EAST = RegionName("east")
CATALOGUE = a_catalogue()
PLACES = Places(CATALOGUE)
DEADLINE_MINUTES = 24 * 60


ARRAYS = lay_out(PLACES, DEMANDS, LocalPolicy(), Clients(), seed=1)
SET = st.tuples(st.integers(0, BACKLOG_BINS - 1), st.integers(0, 3))
STEPS = st.lists(
    st.tuples(st.integers(0, DEADLINE_MINUTES), st.lists(SET, max_size=8)), min_size=2, max_size=8
)


def some_bins() -> WaitingBatch:
    """East's are the first."""
    return WaitingBatch(PLACES, ARRAYS, NOON)


@given(steps=STEPS)
def test_a_backlog_is_the_same_whatever_was_told_before(
    steps: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    ARRAYS["backlog"][:] = 0
    waiting, now = some_bins(), NOON
    for minutes, changes in steps:
        now += MINUTE * minutes
        for place, requests in changes:
            ARRAYS["backlog"][place] = requests
        told = waiting.of(EAST, now)
        assert told == some_bins().of(EAST, now)
        (backlog,) = told
        assert backlog.requests == ARRAYS["backlog"][:BACKLOG_BINS].sum()
        dues = [group.due for group in backlog.groups]
        assert dues == sorted(dues)
        assert not dues or dues[0] >= now


def test_a_group_that_did_not_change_is_told_as_the_same_value() -> None:
    ARRAYS["backlog"][:] = 0
    ARRAYS["backlog"][[50, 60]] = 4
    waiting = some_bins()
    (before,) = waiting.of(EAST, NOON)
    ARRAYS["backlog"][60] = 5
    (after,) = waiting.of(EAST, NOON + timedelta(minutes=1))
    assert after.groups[0] is before.groups[0]
    assert [group.requests for group in after.groups] == [4, 5]
