"""Firm deadlines: a moment of overload costs those who came too many, and nobody after them."""

from __future__ import annotations

from typing import Any

import numpy as np

from heliostat.model.names import Tier
from simulation.event.orders.firm import TOO_LATE, firm
from simulation.local_policy import LocalPolicy, Order
from simulation.requests.columns import RequestColumns
from tests.simulation.event.builders import FAST, NORMAL, Listed, Run, columns, poisson, ready

_COMPILED: Any = firm
_FIRM = _COMPILED.ctypes


def test_it_is_the_deadline_until_less_than_the_share_is_left() -> None:
    def key(now: float) -> float:
        return float(_FIRM(10.0, 3.0, 0, 100, 1.0, now, 1 / 3, 0.0))

    assert (key(10.0), key(12.0), key(12.1)) == (13.0, 13.0, 13.0 + TOO_LATE)


def test_a_burst_makes_fewer_late_than_under_any_order_that_serves_the_latest_first() -> None:
    kept = {}
    for order in (Order.FCFS, Order.EDF, Order.FIRM):
        tally = Run(Listed(_burst(), 12), ready(2), LocalPolicy(order=order)).engine.tallies()[FAST]
        assert tally.completed + tally.shed == tally.offered
        kept[order] = tally.met
    assert kept[Order.FIRM] > 1.05 * kept[Order.EDF] >= kept[Order.FCFS], kept


def test_who_is_too_late_is_served_once_nobody_in_time_waits() -> None:
    # A prompt that keeps the replica for 14 s, then one that comes too late, then one that does not.
    source = Listed(columns([1.0, 1.1, 15.0], [60_000, 500, 500], 10, [1, 0, 1]), 4)
    run = Run(source, ready(1), LocalPolicy(order=Order.FIRM))
    tallies = run.engine.tallies()
    assert (tallies[FAST].completed, tallies[FAST].met) == (1, 0)
    assert (tallies[NORMAL].completed, tallies[NORMAL].met) == (2, 2)
    assert run.engine.latencies(Tier.INTERACTIVE_FAST) is not None


def _burst() -> RequestColumns:
    """Ten minutes at half load, and in the fourth six times as many."""
    rng = np.random.default_rng(7)
    steady = poisson(rng, per_second=3, seconds=600, mix=(1, 0, 0))
    burst = poisson(rng, per_second=18, seconds=60, mix=(1, 0, 0))
    arrival = np.concatenate([steady.arrival_seconds, burst.arrival_seconds + 180])
    order = np.argsort(arrival)
    return columns(
        arrival[order],
        np.concatenate([steady.input_tokens, burst.input_tokens])[order],
        np.concatenate([steady.output_tokens, burst.output_tokens])[order],
        0,
    )
