"""Chiron's spare capacity is learnt from how far arrivals rose within a lead time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from heliostat.model.fleet import StartKind
from heliostat.model.names import Tier
from heliostat.ports.deciding import CapacityPlanner
from planning.pool_rules import PoolRulePlanner
from planning.rivals.cheapest_first import CheapestFirst
from planning.rivals.chiron import ChironRule, ChironSettings
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.policies.chiron import spikes, thetas
from simulation.policies.policy import PolicyOptions
from simulation.policies.recast import siloed
from simulation.policies.registry import policy_named
from tests.builders import NOON, a_catalogue, a_demand

CATALOGUE = a_catalogue()
FAST = a_demand(tier=Tier.INTERACTIVE_FAST)


def a_past(*offered: float, tier: Tier = Tier.INTERACTIVE_FAST) -> ArrivalRates:
    column = np.array(offered, dtype=np.float64)
    arrivals = MinuteArrivals(offered=column, input_tokens=column, output_tokens=column)
    return ArrivalRates(start=NOON, by_demand={a_demand(tier=tier): arrivals})


def test_a_spike_is_the_largest_minute_ahead_over_the_mean_of_the_last_five() -> None:
    found = spikes(a_past(*[10.0] * 5, 10.0, 30.0), timedelta(minutes=2))
    assert found == {FAST.model: pytest.approx(3.0)}


def test_who_never_rises_has_no_spike_and_batch_work_tells_nothing() -> None:
    lead = timedelta(minutes=1)
    assert spikes(a_past(*range(50, 10, -2)), lead) == {FAST.model: 1.0}
    assert spikes(a_past(*[10.0] * 5, 99.0, tier=Tier.BATCH), lead) == {}


def test_minutes_that_nobody_saw_are_left_out() -> None:
    past = a_past(*[10.0] * 5, 20.0, np.nan, *[10.0] * 5, 20.0)
    assert spikes(past, timedelta(minutes=1)) == {FAST.model: pytest.approx(2.0)}


def test_apart_interactive_pools_keep_the_spare_that_their_own_past_asks_for() -> None:
    lead = max(p.p50 for (_, k), p in CATALOGUE.lead_time_priors.items() if k is StartKind.COLD)
    minutes = round(lead / timedelta(minutes=1))
    options = PolicyOptions(history=a_past(*[10.0] * 50, *[50.0] * minutes))
    recast = siloed(CATALOGUE)
    half = recast.models[FAST.model, FAST.tier]
    unmixed = policy_named("chiron-unmixed", CATALOGUE, options)
    assert _settings(unmixed.deciders.planner).theta[half] == pytest.approx(
        thetas(CATALOGUE, options).theta[FAST.model]
    )


def _settings(planner: CapacityPlanner) -> ChironSettings:
    assert isinstance(planner, PoolRulePlanner)
    assert isinstance(planner.rule, CheapestFirst)
    assert isinstance(planner.rule.rule, ChironRule)
    return planner.rule.rule.settings
