"""The cheapest fleet that hindsight allows: a linear programme tried on worlds worked out by hand."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.catalogue import FleetCatalogue, Price, parse_catalogue
from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier, VmTypeName
from simulation.bounds.costs import slack_seconds
from simulation.bounds.goodput import EACH_PROMPT_ALONE
from simulation.bounds.linear import Bound, linear_bound, whole_bound
from simulation.bounds.programme import Terms
from simulation.bounds.work import work_of_rates, work_of_requests
from tests.builders import MINUTE, NOON, QUARTER, a_demand, a_pool, catalogue_mapping
from tests.simulation.bounds.steady import best_steady_goodput
from tests.simulation.bounds.test_goodput import a_mix
from tests.simulation.bounds.worlds import (
    OUTPUT,
    PROMPT,
    ListedRequests,
    a_small_catalogue,
    steps_of_requests,
    work_of,
)

SMALL = VmTypeName("small")
EAST, WEST = RegionName("east"), RegionName("west")
ALL = Terms(attainment=1.0)
QUARTERS_PER_HOUR = 4
GPUS = 8


def theta(catalogue: FleetCatalogue, tier: Tier = Tier.INTERACTIVE_NORMAL) -> float:
    spec = catalogue.model("alpha").tier(tier)
    assert spec is not None
    law = catalogue.law(ModelName("alpha"), SMALL)
    gap = float("inf") if tier is Tier.BATCH else spec.slo.itl_seconds
    return best_steady_goodput(law, a_mix(PROMPT, OUTPUT), gap)


def gpu_hours(found: Bound) -> float:
    assert found.gpu_hours is not None
    return found.gpu_hours


# --- by hand ----------------------------------------------------------------------------------


def test_demand_costs_its_requests_over_the_best_goodput() -> None:
    catalogue = a_small_catalogue(min_replicas=0)
    arrivals = steps_of_requests({a_demand(): [9000, 4500, 0, 0]})
    found = linear_bound(catalogue, work_of(catalogue, arrivals), ALL)
    replica_hours = 13_500 / theta(catalogue) / 3600
    assert gpu_hours(found) == pytest.approx(GPUS * replica_hours)
    assert found.cost_dollars == pytest.approx(20 * replica_hours)
    assert (found.requests, found.dropped, found.out_of_reach) == (13_500, 0, 0)


def test_the_share_that_may_miss_is_dropped_where_it_costs_most() -> None:
    catalogue = a_small_catalogue(min_replicas=0)
    arrivals = steps_of_requests({a_demand(): [9000] * 4 + [0]})
    work = work_of(catalogue, arrivals)
    all_of_it, most_of_it = (
        linear_bound(catalogue, work, Terms(attainment=share)) for share in (1.0, 0.9)
    )
    assert gpu_hours(most_of_it) == pytest.approx(0.9 * gpu_hours(all_of_it))
    assert most_of_it.dropped == pytest.approx(3600)


def test_floors_stand_whatever_the_demand_and_are_lifted_where_a_region_is_lost() -> None:
    catalogue = a_small_catalogue(min_replicas=2)
    work = work_of(catalogue, steps_of_requests({a_demand(): [0] * 4}))
    assert gpu_hours(linear_bound(catalogue, work, ALL)) == pytest.approx(GPUS * 4)
    lost = (EAST, Span(NOON + MINUTE, NOON + 16 * MINUTE))
    found = linear_bound(catalogue, work, Terms(floors_lifted=(lost,)))
    assert found.replicas[a_pool()] == pytest.approx((0, 0, 0, 2))
    assert found.replicas[a_pool("west")] == pytest.approx((2, 2, 2, 2))


def test_a_quota_sends_demand_to_the_next_region_and_then_leaves_no_fleet() -> None:
    catalogue = a_small_catalogue(min_replicas=0)
    catalogue = replace(catalogue, quotas={(EAST, SMALL): 2, (WEST, SMALL): 1})
    both = round(2.5 * theta(catalogue) * 60) * 15
    work = work_of(catalogue, steps_of_requests({a_demand(): [both] * 2}))
    found = linear_bound(catalogue, work, ALL)
    east, west = (found.replicas[a_pool(region)] for region in ("east", "west"))
    assert max(east) <= 2 + 1e-9
    assert max(west) <= 1 + 1e-9
    assert east[0] + west[0] == pytest.approx(2.5, abs=0.3)
    too_much = work_of(catalogue, steps_of_requests({a_demand(): [2 * both] * 2}))
    none = linear_bound(catalogue, too_much, ALL)
    assert (none.gpu_hours, none.cost_dollars, none.replicas) == (None, None, {})
    assert none.reason == "no fleet within the quotas serves 100.0% of the requests"
    assert whole_bound(catalogue, too_much, ALL).gpu_hours is None


def test_latency_budgets_keep_demand_at_home() -> None:
    """The round trip is 70 ms; interactive-fast allows 100 ms, or here 50."""
    mapping = catalogue_mapping()
    mapping["models"][0]["tiers"]["interactive-fast"]["latency_budget_ms"] = 50
    mapping["pools"]["min_replicas"] = 0
    near, far = parse_catalogue(mapping), parse_catalogue(catalogue_mapping())
    far = replace(far, pools=near.pools)
    fast = a_demand(tier=Tier.INTERACTIVE_FAST)
    no_east = {key: 0 if key[0] == EAST else quota for key, quota in near.quotas.items()}
    work = work_of(near, steps_of_requests({fast: [900] * 2}))
    assert linear_bound(replace(far, quotas=no_east), work, ALL).gpu_hours is not None
    assert linear_bound(replace(near, quotas=no_east), work, ALL).gpu_hours is None


def test_batch_work_waits_for_the_trough_and_beyond_the_end_if_it_may() -> None:
    catalogue = a_small_catalogue(min_replicas=0, max_replicas=2)
    catalogue = replace(catalogue, quotas={(EAST, SMALL): 1, (WEST, SMALL): 0})
    batch = a_demand(tier=Tier.BATCH)
    full = round(theta(catalogue, Tier.BATCH) * 60) * 15
    work = work_of(catalogue, steps_of_requests({batch: [full // 2 * 3, 0, 0, 0]}))
    done = linear_bound(catalogue, work, replace(ALL, finish_batch=True))
    assert sum(done.replicas[a_pool()]) == pytest.approx(1.5, rel=0.01)
    assert max(done.replicas[a_pool()]) <= 1.0 + 1e-9
    assert gpu_hours(linear_bound(catalogue, work, ALL)) == pytest.approx(0.0, abs=1e-6)


def test_a_deadline_inside_the_run_is_kept() -> None:
    mapping = catalogue_mapping()
    mapping["pools"]["min_replicas"] = 0
    mapping["models"][0]["tiers"]["batch"]["deadline_seconds"] = 1800
    catalogue = parse_catalogue(mapping)
    work = work_of(catalogue, steps_of_requests({a_demand(tier=Tier.BATCH): [900, 0, 0, 0]}))
    found = linear_bound(catalogue, work, ALL)
    until_45 = sum(sum(counts[:3]) for counts in found.replicas.values())
    assert until_45 > 0
    assert sum(counts[3] for counts in found.replicas.values()) == pytest.approx(0, abs=1e-6)


def test_what_no_vm_type_can_serve_in_time_is_nobodys_to_serve() -> None:
    mapping = catalogue_mapping()
    mapping["models"][0]["tiers"]["interactive-fast"]["itl_seconds"] = 0.001
    mapping["pools"]["min_replicas"] = 0
    catalogue = parse_catalogue(mapping)
    work = work_of(
        catalogue,
        steps_of_requests({a_demand(tier=Tier.INTERACTIVE_FAST): [900], a_demand(): [900]}),
    )
    found = linear_bound(catalogue, work, ALL)
    assert (found.out_of_reach, found.requests) == (900, 900)


def test_reserved_vms_are_paid_and_free_to_use() -> None:
    catalogue = a_small_catalogue(min_replicas=0)
    price = Price(on_demand=20.0, reserved=12.0, reserved_vms=1)
    catalogue = replace(catalogue, prices=dict.fromkeys(catalogue.prices, price))
    two = round(2 * theta(catalogue) * 60) * 15
    found = linear_bound(
        catalogue, work_of(catalogue, steps_of_requests({a_demand(): [two] * 4})), ALL
    )
    assert found.cost_dollars == pytest.approx(24.0, rel=0.01)
    idle = linear_bound(
        catalogue, work_of(catalogue, steps_of_requests({a_demand(): [0] * 4})), ALL
    )
    assert idle.cost_dollars == pytest.approx(24.0)


def test_an_attainment_beyond_all_requests_is_refused() -> None:
    with pytest.raises(InvalidInput, match="attainment"):
        Terms(attainment=1.01)


# --- against brute force --------------------------------------------------------------------------


def cheapest_by_trying(
    catalogue: FleetCatalogue, requests: tuple[int, ...], most: int, floor: int, allowed: float
) -> int | None:
    """The fewest replica-steps of two regions together that serve what one demand asks, step by step.

    What is not served in its step may be served in the next, as far as its slack reaches.
    """
    work = work_of(catalogue, steps_of_requests({a_demand(): requests}))
    tier = catalogue.model("alpha").tier(Tier.INTERACTIVE_NORMAL)
    assert tier is not None
    slack = slack_seconds(work, 0, tier) / 900
    each = theta(catalogue) * 900
    best: int | None = None
    counts = range(2 * floor, 2 * most + 1)
    for fleet in product(counts, repeat=len(requests)):
        backlog = dropped = 0.0
        for replicas, asked in zip(fleet, requests, strict=True):
            backlog = max(0.0, backlog + asked - replicas * each)
            late = max(0.0, backlog - slack * asked)
            backlog, dropped = backlog - late, dropped + late
        if dropped <= allowed + 1e-6 and (best is None or sum(fleet) < best):
            best = sum(fleet)
    return best


@settings(max_examples=25)
@given(
    loads=st.lists(st.floats(0.0, 3.6), min_size=1, max_size=3),
    floor=st.integers(0, 1),
    share=st.sampled_from([1.0, 0.95, 0.7]),
)
def test_the_integer_optimum_of_a_tiny_fleet_is_what_trying_everything_finds(
    loads: list[float], floor: int, share: float
) -> None:
    catalogue = a_small_catalogue(min_replicas=floor, max_replicas=2)
    requests = tuple(round(load * theta(catalogue) * 60) * 15 for load in loads)
    work = work_of(catalogue, steps_of_requests({a_demand(): requests}))
    terms = Terms(attainment=share)
    found = whole_bound(catalogue, work, terms)
    allowed = (1 - share) * sum(requests)
    best = cheapest_by_trying(catalogue, requests, 2, floor, allowed)
    assert best is not None
    assert found.gpu_hours == pytest.approx(GPUS * best / QUARTERS_PER_HOUR, abs=1e-6)
    assert found.proven_gpu_hours == pytest.approx(found.gpu_hours, rel=0.002, abs=1e-6)
    assert found.gpu_hours is not None
    assert gpu_hours(linear_bound(catalogue, work, terms)) <= found.gpu_hours + 1e-6


# --- properties ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    counts=st.lists(st.integers(0, 300).map(lambda n: 15 * n), min_size=2, max_size=4),
    share=st.floats(0.5, 1.0),
)
def test_asking_for_less_never_costs_more(counts: list[int], share: float) -> None:
    catalogue = parse_catalogue(catalogue_mapping())
    demands: list[DemandKey] = [a_demand(), a_demand("west", "beta", Tier.INTERACTIVE_FAST)]
    work = work_of(catalogue, steps_of_requests(dict.fromkeys(demands, counts)))
    whole = linear_bound(catalogue, work, ALL)
    part = linear_bound(catalogue, work, Terms(attainment=share))
    assert gpu_hours(part) <= gpu_hours(whole) + 1e-6
    assert whole.cost_dollars is not None
    assert whole.gpu_hours_at_least_cost is not None
    assert whole.gpu_hours_at_least_cost >= gpu_hours(whole) - 1e-6


def test_the_same_run_has_the_same_bound() -> None:
    catalogue = parse_catalogue(catalogue_mapping())
    work = work_of(catalogue, steps_of_requests({a_demand(): [3000, 6000, 9000]}))
    assert linear_bound(catalogue, work) == linear_bound(catalogue, work)


def test_single_requests_and_rates_of_the_same_requests_are_the_same_work() -> None:
    catalogue = a_small_catalogue()
    arrivals = steps_of_requests({a_demand(): [900, 450]})
    seconds = [60 * m + n for m in range(15) for n in range(60)]
    seconds += [900 + 60 * m + 2 * n for m in range(15) for n in range(30)]
    rates = work_of_rates(catalogue, arrivals, arrivals.span, QUARTER, EACH_PROMPT_ALONE)
    single = work_of_requests(
        catalogue,
        ListedRequests(seconds, minutes=30),
        arrivals.span,
        QUARTER,
        EACH_PROMPT_ALONE,
    )
    for name in ("requests", "iterations", "context_iterations"):
        assert getattr(single, name) == pytest.approx(getattr(rates, name))
    assert single.prefill_seconds[SMALL] == pytest.approx(rates.prefill_seconds[SMALL])
    assert single.demands == rates.demands


def test_requests_out_of_reach_are_left_out_of_the_work_and_counted() -> None:
    catalogue = a_small_catalogue()
    endless = ListedRequests([1.0, 2.0], minutes=15, prompt=PROMPT, output=2_000_000)
    work = work_of_requests(catalogue, endless, endless.span, QUARTER, EACH_PROMPT_ALONE)
    assert (work.out_of_reach, work.requests.sum()) == (2, 0)


@pytest.mark.parametrize("step", [timedelta(0), timedelta(seconds=90), timedelta(minutes=20)])
def test_a_span_that_is_not_whole_steps_is_refused(step: timedelta) -> None:
    catalogue = a_small_catalogue()
    arrivals = steps_of_requests({a_demand(): [900, 450]})
    with pytest.raises(InvalidInput, match="whole steps"):
        work_of_rates(catalogue, arrivals, arrivals.span, step, EACH_PROMPT_ALONE)
