"""QLM's estimate of how long a batch queue takes, and the replicas that it needs in time."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.fleet import BacklogGroup
from planning.rivals.waiting_time import (
    BatchServers,
    OutputLengths,
    late_groups,
    regrouped,
    replicas_to_add,
)
from tests.builders import NOON

LENGTHS = OutputLengths(mean=100.0, deviation=0.0)
Z = 1.64


def due(minutes: float, requests: int) -> BacklogGroup:
    return BacklogGroup(due=NOON + timedelta(minutes=minutes), requests=requests)


def servers(now: float, lead_minutes: float = 0.0) -> BatchServers:
    """Each does ten tokens a second: six requests a minute."""
    lead = timedelta(minutes=lead_minutes)
    return BatchServers(now=now, tokens_per_second=10.0, lead_time=lead)


def test_a_group_is_late_when_its_work_and_that_before_it_exceed_the_time_left() -> None:
    groups = (due(10, 60), due(20, 60), due(30, 61))
    assert late_groups(groups, NOON, LENGTHS, servers(1), z=Z) == 1
    assert late_groups(groups, NOON, LENGTHS, servers(0), z=Z) == 3
    assert late_groups(groups, NOON, LENGTHS, servers(2), z=Z) == 0


def test_the_spread_of_lengths_makes_the_wait_longer() -> None:
    spread = OutputLengths(mean=100.0, deviation=100.0)
    assert spread.tokens(100, Z) == 100 * 100 + Z * 100 * 10
    assert late_groups((due(10, 60),), NOON, spread, servers(1), z=Z) == 1


def test_the_fewest_replicas_that_clear_every_group_are_added() -> None:
    groups = (due(10, 60), due(20, 240))
    assert replicas_to_add(groups, NOON, LENGTHS, servers(1), z=Z) == 2
    assert late_groups(groups, NOON, LENGTHS, servers(3), z=Z) == 0
    assert late_groups(groups, NOON, LENGTHS, servers(2), z=Z) == 1


def test_a_late_start_needs_more_of_them() -> None:
    groups = (due(20, 240),)
    assert replicas_to_add(groups, NOON, LENGTHS, servers(1, lead_minutes=10), z=Z) == 2


def test_nobody_is_added_for_what_is_due_before_he_could_be_ready() -> None:
    groups = (due(5, 600), due(-3, 10))
    assert replicas_to_add(groups, NOON, LENGTHS, servers(0, lead_minutes=8), z=Z) == 0
    assert late_groups(groups, NOON, LENGTHS, servers(0, lead_minutes=8), z=Z) == 2


def test_no_queue_needs_nobody() -> None:
    assert replicas_to_add((), NOON, LENGTHS, servers(0), z=Z) == 0
    assert late_groups((), NOON, LENGTHS, servers(0), z=Z) == 0


@given(
    groups=st.lists(st.builds(due, st.integers(1, 1000), st.integers(1, 500)), max_size=40),
    most=st.integers(1, 10),
)
def test_merged_groups_lose_nobody_and_promise_no_later(
    groups: list[BacklogGroup], most: int
) -> None:
    merged = regrouped(groups, most)
    assert len(merged) <= most
    assert sum(g.requests for g in merged) == sum(g.requests for g in groups)

    def by(those: Iterable[BacklogGroup], instant: datetime) -> int:
        return sum(group.requests for group in those if group.due <= instant)

    assert all(by(merged, group.due) >= by(groups, group.due) for group in groups)
