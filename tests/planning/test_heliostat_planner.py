"""What Heliostat's own plan decides, says and refuses to assume."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import UnknownPool
from heliostat.model.fleet import CapacityDenial, PoolObservation, PoolState, Signal
from heliostat.model.governance import Guardrails, Override
from heliostat.model.names import DemandKey, Tier
from heliostat.model.plan import CapacityPlan, PlanStatus
from heliostat.ports.deciding import PlanningProblem
from planning.explain import PerturbingExplainer
from planning.highs import SolveLimits
from planning.planner import HeliostatPlanner
from planning.settings import PlannerSettings
from planning.solve import SolveSettings
from planning.strategies import planned_busy
from tests.builders import NOON, a_catalogue, a_demand, a_pool, catalogue_mapping
from tests.planning.worlds import a_problem, forecasts_of, with_totals

PLANNER = HeliostatPlanner(stopwatch=lambda: 0.0)
CAUTIOUS = HeliostatPlanner(PlannerSettings(patient_level=0.95), stopwatch=lambda: 0.0)


def standing(plan: CapacityPlan, **match: str) -> int:
    """Replicas that the plan wants in the pools that match."""
    return sum(
        t.replicas
        for t in plan.targets
        if all(getattr(t.pool, name) == value for name, value in match.items())
    )


def changed(**changes: Any) -> Any:
    return a_catalogue(catalogue_mapping() | changes)


def test_capacity_follows_demand_and_is_enough_for_it() -> None:
    low, high = PLANNER.plan(a_problem(3.0)), PLANNER.plan(a_problem(30.0))
    assert standing(high) > standing(low)
    assert not low.shortages
    busy = planned_busy(low, a_catalogue())
    assert all(load <= 2 for load in busy.values())


def test_the_plan_reports_its_solve() -> None:
    plan = PLANNER.plan(a_problem(9.0))
    assert plan.status is PlanStatus.SOLVED
    assert plan.solve is not None
    assert plan.solve.gap is not None
    assert plan.solve.gap >= 0
    assert all(len(target.path) == 4 for target in plan.targets)


def test_flows_serve_the_demand_of_the_first_step() -> None:
    plan = PLANNER.plan(a_problem(5.0, ready=4))
    served: dict[DemandKey, float] = {}
    for flow in plan.flows:
        served[flow.demand] = served.get(flow.demand, 0.0) + flow.requests_per_second
    assert len(served) == 4
    assert all(rate == pytest.approx(5.0, rel=1e-3) for rate in served.values())


def test_residency_keeps_requests_at_home() -> None:
    mapping = catalogue_mapping()
    for region, zone in zip(mapping["regions"], ("us", "eu"), strict=True):
        region["residency"] = [zone]
    for model in mapping["models"]:
        tiers = {name: dict(tier) for name, tier in model["tiers"].items()}
        tiers["interactive-normal"]["residency"] = ["us"]
        model["tiers"] = tiers
    plan = PLANNER.plan(a_problem(8.0, catalogue=a_catalogue(mapping)))
    assert plan.flows
    assert {flow.serving for flow in plan.flows} == {"east"}


def test_a_pooled_forecast_needs_less_than_the_sum_of_the_regions() -> None:
    rates = {a_demand(origin): 30.0 for origin in ("east", "west")}
    summed = CAUTIOUS.plan(a_problem(forecasts=forecasts_of(with_totals(rates), spread=0.0)))
    pooled = CAUTIOUS.plan(
        a_problem(forecasts=forecasts_of(with_totals(rates, 0.8) | rates, spread=0.3))
    )
    alone = CAUTIOUS.plan(a_problem(forecasts=forecasts_of(rates, spread=0.3)))
    assert standing(pooled, model="alpha") < standing(alone, model="alpha")
    assert any("no aggregate forecast" in note for note in alone.notes)
    assert standing(summed, model="alpha") <= standing(alone, model="alpha")


def test_patient_requests_are_planned_for_the_median_and_urgent_ones_are_not() -> None:
    def needed(planner: HeliostatPlanner, tier: Tier) -> int:
        rates = {a_demand(origin, tier=tier): 30.0 for origin in ("east", "west")}
        forecasts = forecasts_of(with_totals(rates), spread=0.3)
        return standing(planner.plan(a_problem(forecasts=forecasts)), model="alpha")

    normal, fast = Tier.INTERACTIVE_NORMAL, Tier.INTERACTIVE_FAST
    assert needed(PLANNER, normal) < needed(CAUTIOUS, normal)
    assert needed(PLANNER, fast) == needed(CAUTIOUS, fast)


def test_a_region_that_only_serves_itself_holds_its_own_quantile() -> None:
    mapping = catalogue_mapping()
    mapping["round_trip_ms"] = {"east": {"east": 4, "west": 900}, "west": {"west": 4}}
    rates = {a_demand(origin): 30.0 for origin in ("east", "west")}
    far = a_catalogue(mapping)
    pooled = forecasts_of(with_totals(rates, 0.7) | rates, spread=0.3)
    alone = forecasts_of(rates, spread=0.3)
    with_total = PLANNER.plan(a_problem(catalogue=far, forecasts=pooled))
    without = PLANNER.plan(a_problem(catalogue=far, forecasts=alone))
    assert standing(with_total, model="alpha") >= standing(without, model="alpha") - 1


def test_a_refusal_caps_the_pool_until_it_decays() -> None:
    pools = a_catalogue().pools
    fleet = replace(
        a_problem().fleet,
        denials=tuple(
            CapacityDenial(
                region=region,
                vm_type=vm_type,
                reason="no capacity",
                at=NOON,
                until=NOON + timedelta(minutes=30),
                most_replicas=4,
            )
            for region, vm_type in {(p.key.region, p.key.vm_type) for p in pools}
        ),
    )
    refused = PLANNER.plan(a_problem(40.0, fleet=fleet))
    assert standing(refused) <= standing(PLANNER.plan(a_problem(40.0)))
    assert refused.shortages
    for region in ("east", "west"):
        for vm_type in ("small", "big"):
            assert standing(refused, region=region, vm_type=vm_type) <= 4


def test_demand_beyond_every_quota_is_a_named_shortage_not_an_error() -> None:
    plan = PLANNER.plan(a_problem(5000.0))
    assert plan.status is PlanStatus.SOLVED
    assert plan.shortages
    assert all(shortage.reason for shortage in plan.shortages)


def test_interactive_requests_are_served_before_batch() -> None:
    rates = {a_demand(tier=Tier.INTERACTIVE_FAST): 8.0, a_demand(tier=Tier.BATCH): 5000.0}
    plan = PLANNER.plan(a_problem(rates, ready=6))
    assert {shortage.demand.tier for shortage in plan.shortages} == {Tier.BATCH}


def test_batch_is_planned_for_its_mean_and_interactive_for_its_peak() -> None:
    def replicas(tier: Tier) -> int:
        peaky = forecasts_of({a_demand(tier=tier): 15.0}, peak_factor=3.0)
        return standing(PLANNER.plan(a_problem(forecasts=peaky)), model="alpha")

    assert replicas(Tier.INTERACTIVE_NORMAL) > 1.5 * replicas(Tier.BATCH)


def test_a_model_whose_forecast_ran_out_is_held() -> None:
    old = forecasts_of({a_demand(model="beta"): 0.1}, issued_at=NOON - timedelta(days=9))
    fresh = forecasts_of({a_demand(): 0.1})
    plan = PLANNER.plan(a_problem(forecasts=(*old, *fresh), ready=5))
    assert standing(plan, model="beta") == 20
    assert standing(plan, model="alpha") < 20
    target = plan.target(a_pool(model="beta"))
    assert target is not None
    assert target.reason.binding == "data"


def test_a_pool_that_nobody_reports_stands_where_the_last_plan_wanted_it() -> None:
    previous = PLANNER.plan(a_problem(60.0))
    silent = replace(a_problem().fleet, pools=())
    plan = PLANNER.plan(a_problem(0.01, fleet=silent, previous=previous))
    for before, now in zip(previous.targets, plan.targets, strict=True):
        assert now.replicas >= before.replicas


def test_replicas_under_way_are_not_bought_twice() -> None:
    first = PLANNER.plan(a_problem(20.0, ready=1))
    states = tuple(
        PoolState(
            observation=PoolObservation(
                pool=t.pool, desired=t.replicas, ready=1, provisioning=max(0, t.replicas - 1)
            ),
            observed_at=NOON,
            signal=Signal.FRESH,
        )
        for t in first.targets
    )
    second = PLANNER.plan(a_problem(20.0, fleet=replace(a_problem().fleet, pools=states), at=NOON))
    assert standing(second) <= standing(first)


def test_a_budget_holds_as_far_as_nothing_stands_above_it() -> None:
    rich = PLANNER.plan(a_problem(20.0))
    tight = replace(a_catalogue(), guardrails=Guardrails(budget_dollars_per_hour=400.0))
    poor = PLANNER.plan(a_problem(20.0, catalogue=tight))
    assert standing(poor) <= standing(rich)


def test_surviving_the_loss_of_a_region_takes_more() -> None:
    careful = HeliostatPlanner(PlannerSettings(survive=1.0))
    careless = PLANNER.plan(a_problem(10.0))
    assert standing(careful.plan(a_problem(10.0))) > standing(careless)
    for region in ("east", "west"):
        kept = careful.plan(a_problem(10.0))
        assert standing(kept, region=region) >= standing(careless, region=region)


def test_a_vm_type_that_cannot_meet_a_tier_is_noted_and_not_used_for_it() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        fast = dict(model["tiers"]["interactive-fast"], ttft_seconds=0.1, ttft_prefill_multiple=1.5)
        model["tiers"] = model["tiers"] | {"interactive-fast": fast}
    rates = {a_demand(tier=Tier.INTERACTIVE_FAST): 5.0}
    plan = PLANNER.plan(a_problem(rates, catalogue=a_catalogue(mapping)))
    assert any("alpha on small cannot serve interactive-fast" in note for note in plan.notes)
    assert {flow.vm_type for flow in plan.flows} == {"big"}


def test_an_infeasible_solve_keeps_the_last_good_plan_and_says_so() -> None:
    previous = PLANNER.plan(a_problem(20.0))
    solver = SolveSettings(limits=SolveLimits(iterations=0, nodes=0))
    stuck = HeliostatPlanner(PlannerSettings(solve=solver))
    plan = stuck.plan(a_problem(2.0, previous=previous))
    assert plan.status is PlanStatus.KEPT_LAST
    assert [t.replicas for t in plan.targets] == [t.replicas for t in previous.targets]
    assert "infeasible" in plan.notes[0]


# --- explaining -------------------------------------------------------------------------------


def test_an_explanation_prices_what_else_could_be_done() -> None:
    problem = a_problem(20.0)
    plan = PLANNER.plan(problem)
    grown = max(plan.targets, key=lambda target: target.replicas).pool
    told = PerturbingExplainer().explain(problem, plan, grown)
    assert told.target == plan.target(grown)
    fewer = next(a for a in told.alternatives if "fewer" in a.summary)
    assert fewer.extra_dollars_per_hour is not None


def alternatives(problem: PlanningProblem) -> dict[str, float | None]:
    """What else could be done about the builders' pool, and its price."""
    told = PerturbingExplainer(stopwatch=lambda: 0.0).explain(
        problem, PLANNER.plan(problem), a_pool()
    )
    return {other.summary: other.extra_dollars_per_hour for other in told.alternatives}


def an_override(replicas: int) -> Override:
    return Override(
        override_id="o1",
        pool=a_pool(),
        target_replicas=replicas,
        author="ada",
        reason="launch",
        created_at=NOON,
        expires_at=NOON + timedelta(days=3),
    )


def test_an_override_below_the_maximum_is_named_as_what_forbids_more() -> None:
    told = alternatives(a_problem(5.0, overrides=(an_override(2),)))
    assert told["one replica more: the override by ada prevents it"] is None


def test_at_its_maximum_a_pool_is_told_the_maximum_even_under_an_override() -> None:
    most = a_catalogue().pool(a_pool()).max_replicas
    told = alternatives(a_problem(5.0, overrides=(an_override(most),)))
    assert told[f"one replica more: max_replicas = {most} prevents it"] is None


def test_a_lost_region_is_named_as_what_forbids_more() -> None:
    region = a_pool().region
    told = alternatives(a_problem(5.0, lost_region=region))
    assert told == {f"one replica more: the loss of {region} prevents it": None}


def test_with_one_replica_one_fewer_and_none_at_all_are_told_once() -> None:
    told = alternatives(a_problem(5.0, overrides=(an_override(1),)))
    assert [what.partition(":")[0] for what in told] == ["one replica more", "one replica fewer"]


def test_scarce_quota_has_a_marginal_value() -> None:
    problem = a_problem(500.0)
    plan = PLANNER.plan(problem)
    told = PerturbingExplainer().explain(problem, plan, a_pool())
    assert told.marginal_values
    assert all("LP dual" in what and value > 0 for what, value in told.marginal_values)


def test_a_pool_that_does_not_exist_cannot_be_explained() -> None:
    problem = a_problem(3.0)
    stranger = replace(a_pool(), vm_type=a_pool().vm_type)
    with pytest.raises(UnknownPool):
        PerturbingExplainer().explain(problem, replace(PLANNER.plan(problem), targets=()), stranger)


# --- calm -------------------------------------------------------------------------------------


def test_constant_demand_comes_to_rest() -> None:
    ready = {pool.key: 3 for pool in a_catalogue().pools}
    moved = []
    for _ in range(5):
        plan = PLANNER.plan(a_problem(25.0, ready=ready))
        moved.append(sum(abs(t.replicas - t.current) for t in plan.targets))
        ready = {t.pool: t.replicas for t in plan.targets}
    assert moved[-2:] == [0, 0]
