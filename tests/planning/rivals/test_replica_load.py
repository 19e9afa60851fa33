"""What a replica has in flight at a share of its throughput, from the engine law."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.demand import TokenMix
from heliostat.model.names import Tier
from planning.rivals.replica_load import mean_mix, replica_load
from planning.throughput import throughput
from tests.builders import a_catalogue
from tests.planning.rivals.seen import POOL, a_look

LOAD = replica_load(a_look(), POOL)
assert LOAD is not None


def test_at_full_throughput_it_is_the_largest_batch_within_the_slo() -> None:
    model = a_catalogue().model(POOL.model)
    spec = model.tiers[0]
    assert spec.tier is Tier.INTERACTIVE_FAST
    rate = throughput(model, POOL.vm_type, spec, model.assumed_mix(spec))
    assert LOAD is not None
    assert LOAD.in_flight(1.0) == pytest.approx(rate.batch)
    assert LOAD.requests_per_second == pytest.approx(rate.requests_per_second)


@given(share=st.floats(0.05, 0.9), more=st.floats(0.01, 0.1))
def test_it_grows_faster_than_the_load(share: float, more: float) -> None:
    assert LOAD is not None
    assert LOAD.in_flight(share + more) > LOAD.in_flight(share) * (share + more) / share


def test_the_mix_is_weighed_by_requests_as_measured() -> None:
    model = a_catalogue().model(POOL.model)
    few = TokenMix(
        model=model.name,
        tier=Tier.BATCH,
        input_tokens=4000,
        output_tokens=10,
        requests=1,
    )
    many = TokenMix(
        model=model.name,
        tier=Tier.INTERACTIVE_FAST,
        input_tokens=1000,
        output_tokens=100,
        requests=2,
    )
    mix = mean_mix(a_look(), model)
    assert (mix.input_tokens, mix.output_tokens) == (1000, 100)
    measured = replace(a_look(), mixes=(few, many))
    mix = mean_mix(measured, model)
    assert (mix.input_tokens, mix.output_tokens) == (2000, 70)
