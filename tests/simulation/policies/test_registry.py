"""Policies, forecasters and routers by name, and what may be asked of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.demand import DemandSeries
from heliostat.model.names import SeriesKey, TokenKind
from planning.planner import HeliostatPlanner
from planning.pool_rules import PoolRulePlanner
from planning.rivals.baseline_routers import NearestRouter
from planning.rivals.cheapest_first import CheapestFirst
from planning.rivals.reactive import ReactiveRule, ReactiveSettings
from planning.rivals.threshold_router import ThresholdRouter
from planning.settings import PlannerSettings
from simulation.bootstrap import reactive_policy
from simulation.local_policy import Dispatch, LocalPolicy, Order, Prefill
from simulation.policies.failure import UnknownForecaster, UnknownPolicy, UnknownRouter
from simulation.policies.forecasters import ORACLE, forecaster_named, forecaster_names
from simulation.policies.policy import PolicyOptions
from simulation.policies.registry import PLUGINS, plugin_named, policy_named
from simulation.policies.routers import ROUTERS, router_named
from tests.builders import NOON, QUARTER, a_catalogue, a_demand

CATALOGUE = a_catalogue()
ASKED_FOR = (
    "siloed",
    "reactive",
    "keda",
    "llumnix",
    "lt-i",
    "lt-u",
    "lt-ua",
    "chiron",
    "heliostat",
)


def test_all_that_were_asked_for_are_there() -> None:
    assert set(ASKED_FOR) <= set(PLUGINS)
    assert {"chiron-local", "chiron-global", "reactive-kv"} <= set(PLUGINS)
    assert {"reactive-70-30", "reactive-kv-70-30"} <= set(PLUGINS)


@pytest.mark.parametrize("of_memory", [False, True])
def test_the_published_rule_grows_above_70_and_shrinks_below_30_per_cent(of_memory: bool) -> None:
    name = "reactive-kv-70-30" if of_memory else "reactive-70-30"
    deciders = policy_named(name, CATALOGUE).deciders
    planner = deciders.planner
    assert isinstance(planner, PoolRulePlanner)
    assert isinstance(planner.rule, CheapestFirst)
    assert isinstance(planner.rule.rule, ReactiveRule)
    assert planner.rule.rule.settings == ReactiveSettings(
        out_above=0.7, in_below=0.3, of_memory=of_memory
    )
    assert isinstance(deciders.router, ThresholdRouter)
    tuned = policy_named("reactive", CATALOGUE).deciders
    assert isinstance(tuned.router, NearestRouter)
    nearest = policy_named(name, CATALOGUE, PolicyOptions(router="nearest")).deciders
    assert isinstance(nearest.router, NearestRouter)


def test_the_demos_reactive_policy_is_the_registered_one_at_70_and_50_per_cent() -> None:
    demo, registered = reactive_policy(CATALOGUE), policy_named("reactive", CATALOGUE)
    ours, theirs = demo.deciders.planner, registered.deciders.planner
    assert isinstance(ours, PoolRulePlanner)
    assert isinstance(theirs, PoolRulePlanner)
    assert isinstance(theirs.rule, CheapestFirst)
    assert isinstance(theirs.rule.rule, ReactiveRule)
    assert ours.rule == replace(theirs.rule, rule=ReactiveRule(settings=ReactiveSettings()))
    settings = theirs.rule.rule.settings
    assert (settings.out_above, settings.in_below) == pytest.approx((0.7, 0.5), abs=0.001)
    assert type(demo.deciders.router) is type(registered.deciders.router)
    assert (demo.rhythm, demo.local, demo.lends) == (
        registered.rhythm,
        registered.local,
        registered.lends,
    )


@pytest.mark.parametrize("name", ["reactive", "reactive-kv", "reactive-70-30", "reactive-kv-70-30"])
def test_thresholds_shrink_at_every_headroom_of_the_sweep(name: str) -> None:
    for headroom in plugin_named(name).sweep:
        planner = policy_named(name, CATALOGUE, PolicyOptions(headroom=headroom)).deciders.planner
        assert isinstance(planner, PoolRulePlanner)
        assert isinstance(planner.rule, CheapestFirst)
        assert isinstance(planner.rule.rule, ReactiveRule)
        settings = planner.rule.rule.settings
        assert 0 < settings.in_below < settings.out_above


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_a_plugin_makes_the_policy_of_its_name_and_says_what_its_headroom_means(name: str) -> None:
    plugin = plugin_named(name)
    assert policy_named(name, CATALOGUE).name == plugin.name == name
    assert plugin.summary
    assert plugin.headroom
    assert tuple(sorted(set(plugin.sweep))) == plugin.sweep
    assert plugin.sweep[0] <= plugin.default_headroom <= plugin.sweep[-1]


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_every_headroom_of_its_sweep_makes_a_policy(name: str) -> None:
    plugin = PLUGINS[name]
    for headroom in (plugin.least_headroom, 0.0, *plugin.sweep, 9.6):
        policy_named(name, CATALOGUE, PolicyOptions(headroom=headroom))


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_less_than_its_least_headroom_is_refused_by_name(name: str) -> None:
    below = PLUGINS[name].least_headroom - 0.01
    with pytest.raises(InvalidInput, match=f"headroom: {name} cannot hold {below:g}"):
        policy_named(name, CATALOGUE, PolicyOptions(headroom=below))


@pytest.mark.parametrize("headroom", [-1.0, math.nan, math.inf])
def test_a_headroom_that_is_none_is_refused(headroom: float) -> None:
    with pytest.raises(InvalidInput, match="headroom"):
        PolicyOptions(headroom=headroom)


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownPolicy, match=r"unknown policy 'ltx'.*siloed.*lt-ua.*heliostat"):
        policy_named("ltx", CATALOGUE)


def test_unknown_forecasters_and_routers_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownForecaster, match=r"'crystal'.*seasonal-week.*oracle"):
        policy_named("heliostat", CATALOGUE, PolicyOptions(forecaster="crystal"))
    with pytest.raises(UnknownRouter, match=r"'far'.*nearest.*plan-flows"):
        policy_named("heliostat", CATALOGUE, PolicyOptions(router="far"))


def a_history(days: float) -> DemandSeries:
    """A series with the same day again and again."""
    buckets = round(days * 96)
    rates = tuple(100 + 50 * math.sin(math.tau * place / 96) for place in range(buckets))
    return DemandSeries(
        key=SeriesKey(demand=a_demand(), kind=TokenKind.INPUT),
        start=NOON - QUARTER * buckets,
        step=QUARTER,
        tokens_per_second=rates,
        peak_tokens_per_second=rates,
    )


@pytest.mark.parametrize(
    ("name", "days", "method"),
    [
        ("naive", 8, "last-value"),
        ("seasonal-day", 8, "same-time-yesterday"),
        ("seasonal-week", 8, "same-time-last-week"),
        ("week-slot-ar", 15, "week-slot-ar"),
        ("seasonal-day", 0.5, "last-value"),
        ("seasonal-week", 3, "daily-harmonic-level"),
        ("house", 15, "harmonic-ar"),
        ("", 15, "harmonic-ar"),
    ],
)
def test_a_method_by_name_serves_every_series_that_has_history_enough_for_it(
    name: str, days: float, method: str
) -> None:
    made = forecaster_named(name, CATALOGUE)
    (forecast,) = made.forecast((a_history(days),), issued_at=NOON, horizon=timedelta(hours=1))
    assert forecast.method == method


def test_every_name_of_the_list_is_a_forecaster() -> None:
    for name in set(forecaster_names()) - {ORACLE}:
        forecaster_named(name, CATALOGUE)


def test_levels_that_a_planner_asks_for_are_issued_beside_the_usual_ones() -> None:
    made = forecaster_named("naive", CATALOGUE, levels=(0.7,))
    (forecast,) = made.forecast((a_history(2),), issued_at=NOON, horizon=timedelta(hours=1))
    assert forecast.levels == (0.5, 0.7, 0.9, 0.95, 0.99)


def test_the_oracle_must_be_told_the_future_and_is_then_what_it_was_told() -> None:
    with pytest.raises(InvalidInput, match="needs the future demand"):
        policy_named("lt-i", CATALOGUE, PolicyOptions(forecaster="oracle"))
    told = forecaster_named("naive", CATALOGUE)
    options = PolicyOptions(forecaster="oracle", oracle=told)
    assert policy_named("lt-i", CATALOGUE, options).deciders.forecaster is told


def test_a_router_by_name_is_the_one_that_decides() -> None:
    for name in ROUTERS:
        policy = policy_named("reactive", CATALOGUE, PolicyOptions(router=name))
        assert type(policy.deciders.router) is type(router_named(name))


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_order_and_local_policy_may_be_chosen_for_all(name: str) -> None:
    own = policy_named(name, CATALOGUE).local
    ordered = policy_named(name, CATALOGUE, PolicyOptions(order=Order.EDF)).local
    assert ordered == replace(own, order=Order.EDF)
    packed = PolicyOptions(dispatch=Dispatch.PACK, prefill=Prefill.CHUNKS)
    asked = policy_named(name, CATALOGUE, packed).local
    assert asked == replace(own, dispatch=Dispatch.PACK, prefill=Prefill.CHUNKS)
    local = LocalPolicy(dispatch=Dispatch.RANDOM)
    assert policy_named(name, CATALOGUE, PolicyOptions(local=local)).local == local


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_lending_is_an_option(name: str) -> None:
    assert not policy_named(name, CATALOGUE).lends
    assert policy_named(name, CATALOGUE, PolicyOptions(lends=True)).lends


def test_chiron_packs_requests_and_its_engines_read_prompts_in_chunks() -> None:
    """Spread over replicas nearly all are busy, and what scales by busy replicas buys without end."""
    for name in ("chiron", "chiron-global", "chiron-local", "chiron-ibp", "chiron-unmixed"):
        local = policy_named(name, CATALOGUE).local
        assert (local.dispatch, local.prefill) == (Dispatch.PACK, Prefill.CHUNKS)


def test_each_half_of_chiron_has_one_lever_only() -> None:
    whole, scaling, local = (
        policy_named(name, CATALOGUE) for name in ("chiron", "chiron-global", "chiron-local")
    )
    reactive = policy_named("reactive", CATALOGUE)
    assert whole.local == local.local != scaling.local
    assert type(whole.deciders.planner) is type(scaling.deciders.planner)
    assert scaling.local.batch_size == reactive.local.batch_size != local.local.batch_size


def test_the_careful_policy_without_a_headroom_is_that_of_serve_by_default() -> None:
    def level(options: PolicyOptions) -> float:
        planner = policy_named("heliostat-careful", CATALOGUE, options).deciders.planner
        assert isinstance(planner, HeliostatPlanner)
        return planner.settings.level

    default = plugin_named("heliostat-careful").default_headroom
    assert level(PolicyOptions()) == level(PolicyOptions(headroom=default))
    assert level(PolicyOptions()) == pytest.approx(PlannerSettings().level, abs=0.005)
