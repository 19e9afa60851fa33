"""The most requests per second that a VM can serve within a promise: a bound that nothing beats."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from heliostat.model.instants import Span
from heliostat.model.names import ModelName, Tier, VmTypeName
from planning.throughput import throughput
from simulation.bounds.goodput import (
    EACH_PROMPT_ALONE,
    Practice,
    least_prefill_seconds,
    practice_of,
)
from simulation.engine import Change, ReplicaChange
from simulation.fluid.engine import FluidEngine
from simulation.local_policy import LocalPolicy, Prefill
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool
from tests.simulation.bounds.steady import best_steady_goodput
from tests.simulation.bounds.worlds import steps_of_requests

CATALOGUE = a_catalogue()
ALPHA, SMALL = ModelName("alpha"), VmTypeName("small")
LAW = CATALOGUE.law(ALPHA, SMALL)
WHOLE = practice_of(LocalPolicy())
CHUNKS = practice_of(LocalPolicy(prefill=Prefill.CHUNKS))

laws = st.builds(
    lambda a, b, c, d0, d1, d2, most: replace(
        LAW,
        prefill_base=a,
        prefill_per_token=b,
        prefill_per_token_beyond_knee=c,
        decode_base=d0,
        decode_per_sequence=d1,
        decode_per_sequence_kilotoken=d2,
        max_batch=most,
    ),
    *(st.floats(low, high) for low, high in ((1e-3, 0.2), (1e-6, 1e-3), (0, 1e-3))),
    *(st.floats(low, high) for low, high in ((1e-3, 0.1), (0, 1e-3), (0, 1e-3))),
    st.integers(1, 256),
)
lengths = st.tuples(st.integers(1, 20_000), st.integers(1, 2_000))


def a_mix(prompt: float, output: float) -> TokenMix:
    return TokenMix(
        model=ALPHA, tier=Tier.INTERACTIVE_NORMAL, input_tokens=prompt, output_tokens=output
    )


def test_goodput_is_the_inverse_of_the_least_cost_of_a_request() -> None:
    """1,000 in and 100 out at a gap of 0.2 s: memory and gap would allow more than 64 sequences."""
    growth = 0.1897e-3 + 0.3354e-3 * 1.05
    seconds = 44.22e-3 + 1000 * 0.1089e-3 + 99 * (growth + 44.07e-3 / 64)
    assert best_steady_goodput(LAW, a_mix(1000, 100), 0.2) == pytest.approx(1 / seconds)


def test_a_tighter_promise_costs_goodput_and_one_that_cannot_be_kept_leaves_none() -> None:
    mix = a_mix(6000, 100)
    found = [best_steady_goodput(LAW, mix, gap) for gap in (1e9, 0.2, 0.1, 0.06, 0.044)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[3] > found[4] == 0.0


@given(law=laws, lengths=lengths, gap=st.floats(1e-3, 2.0))
def test_the_planners_throughput_is_never_above_the_best_goodput(
    law: EngineLaw, lengths: tuple[int, int], gap: float
) -> None:
    model = CATALOGUE.model(ALPHA)
    spec = model.tier(Tier.INTERACTIVE_NORMAL)
    assert spec is not None
    spec = replace(spec, slo=replace(spec.slo, itl_seconds=gap))
    planned = throughput(
        replace(model, engines={SMALL: law}), SMALL, spec, a_mix(*lengths)
    ).requests_per_second
    best = best_steady_goodput(law, a_mix(*lengths), gap)
    assert planned <= best * (1 + 1e-9)


@given(
    law=laws,
    prompts=st.lists(st.integers(1, 6_000), min_size=1, max_size=12),
    most=st.integers(0, 16_384),
)
def test_no_prefill_that_is_allowed_is_cheaper_than_the_least(
    law: EngineLaw, prompts: list[int], most: int
) -> None:
    least = least_prefill_seconds(
        law, np.array(prompts, dtype=float), Practice(most_prefill_tokens=most)
    )
    alone = sum(law.prefill_seconds(prompt) for prompt in prompts)
    assert least.sum() <= alone * (1 + 1e-9)
    if sum(prompts) <= most:
        assert least.sum() <= law.prefill_seconds(sum(prompts)) * (1 + 1e-9)


@given(law=laws, lengths=lengths, gap=st.floats(1e-3, 2.0))
def test_freer_practices_never_lower_the_bound(
    law: EngineLaw, lengths: tuple[int, int], gap: float
) -> None:
    alone, shared, chunked = (
        best_steady_goodput(law, a_mix(*lengths), gap, practice)
        for practice in (EACH_PROMPT_ALONE, Practice(most_prefill_tokens=8192), CHUNKS)
    )
    assert alone <= shared * (1 + 1e-9)
    assert alone <= chunked * (1 + 1e-9)


def test_a_negative_prefill_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match="most_prefill_tokens"):
        Practice(most_prefill_tokens=-1)


@pytest.mark.parametrize(("prompt", "output"), [(1000, 100), (6000, 50), (200, 400)])
def test_the_fluid_engine_comes_near_the_best_goodput_and_never_above(
    prompt: int, output: int
) -> None:
    """Two replicas, from comfortable to overloaded."""
    gap = 0.3
    best = best_steady_goodput(LAW, a_mix(prompt, output), gap)
    reached = []
    for load in (0.7, 0.9, 1.2):
        requests = round(load * 2 * best * 60) * 15
        arrivals = steps_of_requests({a_demand(): [requests] * 2}, prompt=prompt, output=output)
        engine = FluidEngine(CATALOGUE, arrivals)
        ready = [
            ReplicaChange(at=NOON, replica_id=f"r{i}", pool=a_pool(), what=Change.READY)
            for i in range(2)
        ]
        for minute in range(30):
            begin = NOON + MINUTE * minute
            engine.serve(Span(begin, begin + MINUTE), changes=[] if minute else ready, tables={})
        (tally,) = engine.tallies().values()
        reached.append(tally.completed / 1800 / 2 / best)
        assert tally.met <= tally.started
    assert max(reached) <= 1.0
    assert max(reached) > 0.9
