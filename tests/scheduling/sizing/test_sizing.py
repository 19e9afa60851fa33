"""Workers and fleets of the right size: what a load needs, by Little's law and by a dry run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.names import VmTypeName
from planning.throughput import throughput
from scheduling.laws.law import WorkerLaw
from scheduling.lengths.oracle import oracle
from scheduling.placement.best_fit import BestFit
from scheduling.placement.margins import Margins
from scheduling.sizing.configuration import (
    Candidate,
    Configuration,
    best_configuration,
    configure,
)
from scheduling.sizing.fleet import Arrival, dry_run, fewest_workers, workers_by_littles_law
from scheduling.sizing.load import Load
from scheduling.sizing.served import ServedByPlacement
from tests.builders import a_catalogue
from tests.scheduling.builders import a_law, a_promise, a_request


def a_load(**changes: object) -> Load:
    """Ten requests a second of 1,000 tokens and 200 in answer."""
    load: dict[str, object] = {
        "requests_per_second": 10.0,
        "input_tokens": 1000.0,
        "output_tokens": 200.0,
        "promise": a_promise(),
    }
    return Load(**(load | changes))  # type: ignore[arg-type] # tests name fields freely


def a_candidate(gpus: int = 1, law: WorkerLaw | None = None) -> Candidate:
    return Candidate(vm_type=VmTypeName(f"x{gpus}"), gpus=gpus, law=law or a_law())


@settings(max_examples=60)
@given(st.floats(10, 4000), st.floats(2, 1500), st.sampled_from([0.06, 0.1, 0.5]))
def test_the_batch_is_the_largest_that_keeps_gap_and_memory(
    inputs: float, outputs: float, gap: float
) -> None:
    load = a_load(input_tokens=inputs, output_tokens=outputs, promise=a_promise(itl_seconds=gap))
    found = configure(a_candidate(), load)
    law = a_law()

    def gap_at(batch: float) -> float:
        stall = batch * law.prefill_seconds(inputs) / outputs
        return law.iteration_seconds(batch, batch * (inputs + outputs / 2)) + stall

    if found.excluded:
        assert gap_at(1) > gap or law.prefill_seconds(inputs) > 1.0
        return
    assert gap_at(found.batch) <= gap * (1 + 1e-9)
    held = found.batch * (inputs + outputs + 16)
    assert held <= 0.95 * law.kv_tokens
    more = found.batch + 1
    room = more <= 256 and more * (inputs + outputs + 16) <= 0.95 * law.kv_tokens
    assert gap_at(more) > gap or not room
    assert found.requests_per_second == pytest.approx(found.batch / (outputs * gap_at(found.batch)))


def test_the_best_worker_serves_most_per_gpu_and_reads_the_longest_prompt_in_time() -> None:
    slow = a_law(prefill_per_token=4e-4, decode_base=0.05)
    fast = a_law(prefill_per_token=1e-4, decode_base=0.02)
    one, eight = a_candidate(1, slow), a_candidate(8, fast)
    best = best_configuration([eight, one], a_load())
    assert best is not None
    assert best.candidate == one
    long = a_load(longest_input_tokens=5000.0)
    best = best_configuration([eight, one], long)
    assert best is not None
    assert best.candidate == eight
    assert "TTFT" in configure(one, long).excluded
    assert best_configuration([one], long) is None


def test_without_one_that_can_there_is_none() -> None:
    strict = a_load(promise=a_promise(itl_seconds=0.001))
    assert best_configuration([a_candidate(1), a_candidate(2)], strict) is None


def test_reasons_say_what_a_candidate_cannot_do() -> None:
    strict = a_load(promise=a_promise(itl_seconds=0.02))
    assert "gaps of" in configure(a_candidate(), strict).excluded
    small = a_candidate(law=a_law(kv_bytes_available=10**6))
    assert "memory" in configure(small, a_load()).excluded


def test_doubt_about_the_law_and_margins_make_batches_smaller() -> None:
    sure = configure(a_candidate(), a_load())
    doubtful = configure(a_candidate(law=a_law(error=0.2)), a_load())
    careful = configure(a_candidate(), a_load(), Margins(time=0.2))
    assert doubtful.requests_per_second < sure.requests_per_second
    assert careful.requests_per_second == pytest.approx(doubtful.requests_per_second)


def test_littles_law_counts_who_is_there_on_the_mean() -> None:
    found = configure(a_candidate(), a_load())
    there = 10.0 * found.residence_seconds
    assert workers_by_littles_law(a_load(), found) == math.ceil(there / found.batch)
    assert workers_by_littles_law(a_load(requests_per_second=0.0), found) == 0
    excluded = Configuration(candidate=a_candidate(), excluded="too slow")
    with pytest.raises(InvalidInput, match="too slow"):
        workers_by_littles_law(a_load(), excluded)


def arrivals(per_second: float, seconds: float = 60.0) -> list[Arrival]:
    chance = np.random.default_rng(4)
    times = np.sort(chance.uniform(0, seconds, chance.poisson(per_second * seconds)))
    outputs = np.maximum(1, chance.gamma(1.0, 200.0, len(times)).astype(int))
    return [
        Arrival(
            request=a_request(n, arrival=float(at)).with_prediction(oracle(200)),
            output_tokens=int(output),
        )
        for n, (at, output) in enumerate(zip(times, outputs, strict=True))
    ]


def test_the_fewest_workers_reach_the_target_and_one_less_does_not() -> None:
    past = arrivals(20.0)
    found = fewest_workers(past, a_law(), BestFit, 0.95)
    assert found is not None
    assert found.attainment >= 0.95
    assert found.workers > 1
    assert dry_run(past, a_law(), BestFit(), found.workers - 1).attainment < 0.95
    assert found.placed + found.refused == len(past)
    load = a_load(requests_per_second=20.0)
    steady = workers_by_littles_law(load, configure(a_candidate(), load))
    assert steady <= found.workers <= 3 * steady


def test_a_higher_target_never_takes_fewer_workers_and_some_are_out_of_reach() -> None:
    past = arrivals(10.0, 30.0)
    sizes = []
    for target in (0.5, 0.9, 0.99, 1.0):
        found = fewest_workers(past, a_law(), BestFit, target)
        assert found is not None
        sizes.append(found.workers)
    assert sizes == sorted(sizes)
    assert fewest_workers(past, a_law(), BestFit, 1.0, most=1) is None
    assert dry_run([], a_law(), BestFit(), 1).attainment == 0.0


def test_dry_runs_need_order_and_a_target() -> None:
    past = arrivals(5.0, 5.0)
    with pytest.raises(InvalidInput, match="before"):
        dry_run(past[::-1], a_law(), BestFit(), 2)
    for target in (0.0, 1.5):
        with pytest.raises(InvalidInput, match="target"):
            fewest_workers(past, a_law(), BestFit, target)


def test_loads_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"input_tokens": 0.0},
        {"output_tokens": math.nan},
        {"peak_tokens": math.inf},
        {"requests_per_second": -1.0},
    ):
        with pytest.raises(InvalidInput, match="load"):
            a_load(**wrong)
    with pytest.raises(InvalidInput, match="gpus"):
        a_candidate(0)


def test_placement_and_planning_agree_on_what_a_replica_serves() -> None:
    catalogue = a_catalogue()
    model = catalogue.models[0]
    vm_type, spec = next(iter(model.engines)), model.tiers[0]
    mix = model.assumed_mix(spec)
    own = ServedByPlacement().requests_per_second(model, vm_type, spec, mix)
    planners = throughput(model, vm_type, spec, mix).requests_per_second
    assert own == pytest.approx(planners)
