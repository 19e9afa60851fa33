"""Workloads that nobody wants: none at all, and requests that no replica can hold."""

from __future__ import annotations

from tests.simulation.event.builders import DEMANDS, NORMAL, Listed, Run, columns, ready


def test_a_workload_without_requests_is_simulated_and_judges_nobody() -> None:
    run = Run(Listed(columns([], 1, 1), 3), ready(2))
    assert run.windows == {}
    assert run.engine.tallies() == {}
    for demand in DEMANDS:
        latencies = run.engine.latencies(demand.tier)
        assert latencies is not None
        assert latencies.ttft.count == 0


def test_a_workload_without_demands_is_simulated() -> None:
    run = Run(Listed(columns([], 1, 1), 2, demands=()), ready(1))
    assert run.engine.tallies() == {}


def test_a_request_that_no_replica_can_hold_is_shed_and_holds_nobody_up() -> None:
    run = Run(Listed(columns([1.0, 1.0, 2.0], [100, 9_000_000, 100], 10), 3), ready(1))
    tally = run.engine.tallies()[NORMAL]
    assert (tally.offered, tally.completed, tally.shed) == (3, 2, 1)


def test_a_request_of_no_tokens_counts_as_one_of_one() -> None:
    run = Run(Listed(columns([1.0], 0, 0), 3), ready(1))
    tally = run.engine.tallies()[NORMAL]
    assert (tally.completed, tally.input_tokens) == (1, 1)
