"""How much of a span each pool's replicas were ready."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.instants import Span
from simulation.engine import Change, ReplicaChange
from simulation.fluid.presence import Presence
from tests.builders import MINUTE, NOON, a_pool

SPAN = Span(NOON, NOON + MINUTE)


def a_change(second: int, what: Change, replica: str = "vm-1") -> ReplicaChange:
    at = NOON + timedelta(seconds=second)
    return ReplicaChange(at=at, replica_id=replica, pool=a_pool(), what=what)


def test_a_replica_counts_from_the_second_it_is_ready_to_the_second_it_drains() -> None:
    changes = [a_change(15, Change.READY), a_change(45, Change.DRAINING), a_change(50, Change.GONE)]
    assert Presence([a_pool()]).means(SPAN, changes) == {a_pool(): 0.5}


def test_who_was_ready_stays_ready_until_something_befalls_it() -> None:
    presence = Presence([a_pool()])
    presence.means(SPAN, [a_change(60, Change.READY)])
    next_minute = Span(SPAN.end, SPAN.end + MINUTE)
    assert presence.means(next_minute, []) == {a_pool(): 1.0}
    assert presence.means(next_minute, [a_change(90, Change.FAILED)]) == {a_pool(): 0.5}


@given(
    lives=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(list(Change))),
        max_size=20,
    )
)
def test_means_are_replica_seconds_over_the_length(lives: list[tuple[int, int, Change]]) -> None:
    changes, seconds = [], 0
    for number, (one, other, end) in enumerate(lives):
        begin, finish = sorted((one, other))
        changes.append(a_change(begin, Change.READY, f"vm-{number}"))
        if end is not Change.READY:
            changes.append(a_change(finish, end, f"vm-{number}"))
        seconds += (finish if end is not Change.READY else 60) - begin
    changes.sort(key=lambda change: change.at)
    means = Presence([a_pool()]).means(SPAN, changes)
    assert means[a_pool()] == pytest.approx(seconds / 60)
