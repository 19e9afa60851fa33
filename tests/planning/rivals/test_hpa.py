"""Kubernetes' formula: ceil(requests ÷ target), a tolerance, a window before it shrinks."""

import math

from planning.rivals.hpa import HpaMetric, HpaRule, HpaSettings
from planning.rivals.replica_load import replica_load
from tests.planning.rivals.seen import POOL, a_look, after, wanted

PLAIN = HpaSettings(headroom=0.5, up_pods=30)


def a_target(headroom: float = 0.5) -> float:
    load = replica_load(a_look(), POOL)
    assert load is not None
    return load.in_flight(1 / (1 + headroom))


def in_flight(times: float, replicas: int = 10) -> int:
    """So many times the target, on that many replicas."""
    return round(times * a_target() * replicas)


def test_it_wants_what_brings_requests_per_replica_to_the_target() -> None:
    running = in_flight(1.6)
    found = wanted(HpaRule(PLAIN), a_look(running_requests=running - 5, waiting_requests=5))
    assert found == math.ceil(running / a_target()) > 10


def test_within_the_tolerance_nothing_moves() -> None:
    for times in (0.92, 1.08):
        look = a_look(running_requests=in_flight(times), waiting_requests=0)
        assert wanted(HpaRule(PLAIN), look) == 10


def test_what_is_coming_counts_as_standing() -> None:
    look = a_look(
        running_requests=in_flight(1.5), waiting_requests=0, ready=10, loading=5, desired=15
    )
    assert wanted(HpaRule(PLAIN), look) == 15


def test_it_shrinks_to_the_highest_recommendation_of_the_window_only() -> None:
    rule = HpaRule(HpaSettings(headroom=0.5, averaged=after(0.5) - after(0)))

    def look(minute: float, times: float) -> int:
        seen = a_look(at=after(minute), running_requests=in_flight(times), waiting_requests=0)
        return wanted(rule, seen)

    assert look(0, 1.0) == 10
    assert look(1, 0.5) == 10
    assert look(4, 0.7) == 10
    assert look(5.5, 0.5) == 7
    assert look(9.5, 0.5) == 5


def test_a_minutes_burst_is_averaged_away() -> None:
    rule = HpaRule(PLAIN)
    for minute in range(4):
        quiet = a_look(at=after(minute), running_requests=in_flight(1.0), waiting_requests=0)
        assert wanted(rule, quiet) == 10
    burst = a_look(at=after(4), running_requests=in_flight(1.4), waiting_requests=0)
    assert wanted(rule, burst) == 10


def test_one_look_adds_no_more_pods_than_its_policy_allows() -> None:
    look = a_look(running_requests=in_flight(2.0), waiting_requests=0)
    assert wanted(HpaRule(HpaSettings(headroom=0.5, up_pods=2)), look) == 12
    assert wanted(HpaRule(HpaSettings(headroom=0.5, up_share=0.5)), look) == 15


def test_asking_twice_changes_nothing() -> None:
    rule = HpaRule(PLAIN)
    look = a_look(running_requests=in_flight(1.4), waiting_requests=0)
    assert wanted(rule, look) == wanted(rule, look) == wanted(HpaRule(PLAIN), look)


def test_more_headroom_wants_more() -> None:
    look = a_look(running_requests=in_flight(1.2), waiting_requests=0)
    counts = [wanted(HpaRule(HpaSettings(headroom=h, up_pods=30)), look) for h in (0.0, 0.5, 1.0)]
    assert counts == sorted(set(counts))


def test_the_queue_alone_may_be_what_counts() -> None:
    rule = HpaSettings(headroom=0.5, metric=HpaMetric.QUEUE, up_pods=30)
    busy = a_look(running_requests=in_flight(9.0), waiting_requests=in_flight(1.0))
    assert wanted(HpaRule(rule), busy) == 10


def test_a_pool_whose_requests_nobody_measured_stays() -> None:
    for look in (a_look(running_requests=90), a_look(waiting_requests=90), a_look()):
        assert wanted(HpaRule(PLAIN), look) == 10
