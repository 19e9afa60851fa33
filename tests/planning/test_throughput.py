"""θ and ρ follow the engine law and the SLO."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.demand import TokenMix
from heliostat.model.names import ModelName, Tier, VmTypeName
from planning.throughput import Throughput, throughput, throughputs
from planning.usable import Reserve, tier_loads
from planning.usable_rows import MOST_USABLE
from tests.builders import a_catalogue

WORLD = a_catalogue()
ALPHA = WORLD.model("alpha")
SMALL, BIG = VmTypeName("small"), VmTypeName("big")


def a_mix(tier: Tier, inputs: float = 1000, outputs: float = 100) -> TokenMix:
    return TokenMix(model=ModelName("alpha"), tier=tier, input_tokens=inputs, output_tokens=outputs)


def rate(vm_type: VmTypeName, tier: Tier, inputs: float = 1000, outputs: float = 100) -> Throughput:
    spec = ALPHA.tier(tier)
    assert spec is not None
    return throughput(ALPHA, vm_type, spec, a_mix(tier, inputs, outputs))


@given(inputs=st.floats(50, 8000), outputs=st.floats(5, 800), tier=st.sampled_from(Tier))
def test_a_replica_at_theta_balances_its_time_and_keeps_the_token_gap(
    inputs: float, outputs: float, tier: Tier
) -> None:
    found = rate(SMALL, tier, inputs, outputs)
    spec = ALPHA.tier(tier)
    assert spec is not None
    if found.excluded:
        assert found.requests_per_second == 0
        return
    law = ALPHA.engines[SMALL]
    context = inputs + outputs / 2
    decode = law.decode_seconds(found.batch, context)
    prefills = found.requests_per_second * law.prefill_seconds(inputs)
    iterations = found.requests_per_second * outputs / found.batch * decode
    assert prefills + iterations == pytest.approx(1.0)
    gap = found.batch / (found.requests_per_second * outputs)
    assert gap <= spec.slo.itl_seconds * (1 + 1e-9)
    assert found.batch <= law.batch_fitting(inputs + outputs)
    assert found.prefill_share == pytest.approx(prefills)


def test_a_faster_vm_serves_more_and_a_stricter_tier_less() -> None:
    assert rate(BIG, Tier.BATCH).requests_per_second > rate(SMALL, Tier.BATCH).requests_per_second
    fast, normal = (
        rate(SMALL, tier, inputs=6000) for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL)
    )
    assert fast.requests_per_second < normal.requests_per_second


def test_a_vm_that_is_too_slow_for_the_first_token_is_excluded_with_the_reason() -> None:
    spec = ALPHA.tier(Tier.INTERACTIVE_FAST)
    assert spec is not None
    strict = replace(spec, slo=replace(spec.slo, ttft_prefill_multiple=1.0))
    mix = a_mix(Tier.INTERACTIVE_FAST, inputs=16_000)
    found = throughput(ALPHA, SMALL, strict, mix)
    assert found.requests_per_second == 0
    assert "alpha on small cannot serve interactive-fast" in found.excluded
    assert "first token" in found.excluded
    assert not throughput(ALPHA, BIG, strict, mix).excluded


def test_a_vm_that_is_too_slow_for_the_token_gap_is_excluded_with_the_reason() -> None:
    spec = ALPHA.tier(Tier.BATCH)
    assert spec is not None
    strict = replace(spec, slo=replace(spec.slo, itl_seconds=0.01))
    assert "per token" in throughput(ALPHA, SMALL, strict, a_mix(Tier.BATCH)).excluded


def test_a_mix_that_nobody_measured_is_the_catalogues() -> None:
    assumed = throughputs(WORLD, ())
    measured = throughputs(WORLD, (a_mix(Tier.BATCH, 4000, 400),))
    key = (ModelName("alpha"), SMALL, Tier.BATCH)
    assert measured[key].requests_per_second < assumed[key].requests_per_second
    assert (
        measured[ModelName("beta"), SMALL, Tier.BATCH]
        == assumed[ModelName("beta"), SMALL, Tier.BATCH]
    )


@given(st.floats(1, 128), st.floats(0, 5), st.floats(0.5, 0.999))
def test_the_usable_share_never_falls_as_a_pool_grows(
    batch: float, slack: float, attainment: float
) -> None:
    found = Throughput(
        model=ModelName("m"),
        vm_type=SMALL,
        tier=Tier.INTERACTIVE_FAST,
        requests_per_second=1.0,
        batch=batch,
        slack_over_service=slack,
        attainment=attainment,
    )
    shares = Reserve.of([found]).shares(100)
    assert shares.shape == (101,)
    assert (np.diff(shares) >= 0).all()
    assert 0 < shares[0] <= shares[-1] <= MOST_USABLE


def test_the_strictest_tier_sets_the_usable_share() -> None:
    fast, batch = rate(SMALL, Tier.INTERACTIVE_FAST), rate(SMALL, Tier.BATCH)
    both = Reserve.of([fast, batch]).shares(20)
    assert (both == Reserve.of([fast]).shares(20)).all()
    assert (both <= Reserve.of([batch]).shares(20)).all()


def test_a_pool_may_be_fuller_when_part_of_its_load_is_patient() -> None:
    fast, batch = rate(SMALL, Tier.INTERACTIVE_FAST), rate(SMALL, Tier.BATCH)
    strict = Reserve.of([fast, batch]).shares(20)
    half = Reserve.of([fast, batch]).shares(20, {Tier.INTERACTIVE_FAST: 1.0, Tier.BATCH: 1.0})
    assert (half >= strict).all()
    assert half[1] == pytest.approx(min(2 * strict[1], Reserve.of([batch]).shares(20)[1]))
    urgent = Reserve.of([fast, batch]).shares(20, {Tier.INTERACTIVE_FAST: 1.0})
    assert (urgent == strict).all()


def test_single_sizes_are_usable_like_all_sizes() -> None:
    rates = [rate(SMALL, Tier.INTERACTIVE_FAST), rate(SMALL, Tier.BATCH)]
    loads = {Tier.INTERACTIVE_FAST: 1.0, Tier.BATCH: 2.5}
    every = Reserve.of(rates).shares(100, loads)
    assert Reserve.of(rates).share_of([0, 3, 70], loads) == {n: every[n] for n in (0, 3, 70)}
    assert Reserve.of([]).share_of([2]) == {2: MOST_USABLE}


def test_the_load_of_a_tier_is_the_replicas_that_it_keeps_busy() -> None:
    rates = throughputs(WORLD, ())
    wanted = {Tier.INTERACTIVE_FAST: 2.0, Tier.BATCH: 4.0}
    loads = tier_loads(ALPHA, SMALL, rates, wanted)
    for tier, requests_per_second in wanted.items():
        theta = rates[ALPHA.name, SMALL, tier].requests_per_second
        assert loads[tier] == pytest.approx(requests_per_second / theta)
    assert loads[Tier.INTERACTIVE_NORMAL] == 0.0


def test_the_mix_says_nothing_where_another_vm_type_leaves_the_urgent_work_to_this_one() -> None:
    rates = throughputs(WORLD, ())
    key = (ALPHA.name, SMALL, Tier.INTERACTIVE_FAST)
    rates[key] = replace(rates[key], requests_per_second=0.0)
    wanted = dict.fromkeys(Tier, 1.0)
    assert tier_loads(ALPHA, BIG, rates, wanted) == {}
    assert set(tier_loads(ALPHA, SMALL, rates, wanted)) == set(Tier) - {Tier.INTERACTIVE_FAST}


def test_the_staffing_rule_agrees_with_simulated_queues() -> None:
    """M/M/N at the load that ρ allows: the share of late requests is near the promised 10 %."""
    slots, slack, promise = 20, 0.1, 0.9
    found = Throughput(
        model=ModelName("m"),
        vm_type=SMALL,
        tier=Tier.INTERACTIVE_FAST,
        requests_per_second=1.0,
        batch=float(slots),
        slack_over_service=slack,
        attainment=promise,
    )
    load = slots * float(Reserve.of([found]).shares(1)[1])
    chance = np.random.default_rng(5)
    arrivals = np.cumsum(chance.exponential(1 / load, 60_000))
    free = np.zeros(slots)
    late = 0
    for arrival, service in zip(arrivals, chance.exponential(1.0, 60_000), strict=True):
        first = int(free.argmin())
        start = max(arrival, free[first])
        late += start - arrival > slack
        free[first] = start + service
    assert 0.05 < late / 60_000 < 0.15
