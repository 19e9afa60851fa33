"""What can be reckoned by hand: chunks of prompts, work that was done, and lengths that nobody may see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heliostat.catalogue import FleetCatalogue
from heliostat.model.engine import EngineLaw
from heliostat.model.latency import RELATIVE_ACCURACY
from heliostat.model.names import Tier, VmTypeName
from simulation.engine import Change, ReplicaChange
from simulation.local_policy import (
    BatchAdmission,
    Dispatch,
    LocalPolicy,
    Order,
    Preemption,
    Prefill,
    StaticBatchSize,
)
from tests.builders import NOON, a_catalogue, a_pool
from tests.simulation.event.builders import (
    BATCH,
    DEMANDS,
    Listed,
    Run,
    change,
    columns,
    ready,
    seconds,
)

BASE, PER_TOKEN, ITERATION, SEQUENCE = 0.05, 1.5e-4, 0.02, 0.001
TRIP = 0.004
CHUNKS = LocalPolicy(prefill=Prefill.CHUNKS, chunk_tokens=512)


def plain_catalogue() -> FleetCatalogue:
    """Replicas without a knee, whose iterations do not depend on context."""
    law = EngineLaw(
        prefill_base=BASE,
        prefill_per_token=PER_TOKEN,
        prefill_per_token_beyond_knee=0.0,
        decode_base=ITERATION,
        decode_per_sequence=SEQUENCE,
        decode_per_sequence_kilotoken=0.0,
        kv_bytes_per_token=1,
        kv_bytes_available=10**9,
        max_batch=64,
        fitted_batch=64,
    )
    catalogue = a_catalogue()
    models = tuple(
        replace(model, engines=dict.fromkeys(model.engines, law)) for model in catalogue.models
    )
    return replace(catalogue, models=models)


def first_tokens(run: Run) -> list[float]:
    """Seconds to the first token, to the width of a bucket, the fastest first."""
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    sketch = latencies.ttft
    return [sketch.quantile(level) or 0.0 for level in np.linspace(0, 1, sketch.count)]


def test_a_prompt_alone_pays_the_base_for_each_of_its_chunks() -> None:
    run = Run(Listed(columns([10.0], 1300, 5), 2), ready(1), CHUNKS, catalogue=plain_catalogue())
    expected = 3 * BASE + 1300 * PER_TOKEN + TRIP
    assert first_tokens(run) == [pytest.approx(expected, rel=RELATIVE_ACCURACY)]


def test_chunks_beside_a_running_sequence_ride_on_its_iterations() -> None:
    source = Listed(columns([1.0, 5.0], [16, 1022], [400, 2]), 2)
    run = Run(source, ready(1), CHUNKS, catalogue=plain_catalogue())
    decodes_from = 1.0 + BASE + 16 * PER_TOKEN
    each = ITERATION + SEQUENCE
    joins = decodes_from + each * np.ceil((5.0 - decodes_from) / each)
    # 511 tokens fit beside the one that decodes: two iterations.
    expected = joins + 2 * each + 1022 * PER_TOKEN - 5.0 + TRIP
    alone, beside = first_tokens(run)
    assert alone == pytest.approx(decodes_from - 1.0 + TRIP, rel=RELATIVE_ACCURACY)
    assert beside == pytest.approx(expected, rel=RELATIVE_ACCURACY)


def test_what_a_replica_had_done_when_it_failed_stays_done() -> None:
    fails = change("vm-0", Change.FAILED, NOON + seconds(70))
    source = Listed(columns([1.0], 100, 60_000), 3)
    run = Run(source, [*ready(1), fails], catalogue=plain_catalogue(), minutes=0)
    done = [run.engine.busy_seconds(a_pool())]
    while run.now < source.span.end:
        run.go_on()
        done.append(run.engine.busy_seconds(a_pool()))
    # One of 64 sequences: an iteration is worth its own millisecond and a 64th of the 20 it takes.
    worth = (ITERATION / 64 + SEQUENCE) / (ITERATION + SEQUENCE)
    prefill = BASE + 100 * PER_TOKEN
    assert done[2] == pytest.approx(prefill + (60 - 1 - prefill) * worth)
    assert done[-1] == pytest.approx(prefill + (70 - 1 - prefill) * worth)
    assert done == sorted(done)


def batch_seconds(preemption: Preemption, *changes: ReplicaChange) -> float:
    """How long a batch request took that was evicted after nine seconds by one of 40."""
    policy = LocalPolicy(
        batch_size=StaticBatchSize(most=1),
        interactive_evicts_batch=True,
        preemption=preemption,
        batch_admission=BatchAdmission(one_below=0.99, two_below=0.9),
    )
    source = Listed(columns([1.0, 10.0], [20_000, 100], [2000, 2000], [2, 0]), 10)
    run = Run(source, [*ready(1), *changes], policy, catalogue=plain_catalogue())
    assert run.engine.tallies()[BATCH].evicted == 1
    latencies = run.engine.latencies(Tier.BATCH)
    assert latencies is not None
    return latencies.e2e.quantile(1.0) or 0.0


@pytest.mark.parametrize("preemption", Preemption)
def test_an_evicted_batch_request_is_not_judged_by_the_time_it_was_out(
    preemption: Preemption,
) -> None:
    """Ten seconds of 100 tokens, evicted for 200 seconds: its gaps are those of an iteration."""
    policy = LocalPolicy(
        batch_size=StaticBatchSize(most=1),
        interactive_evicts_batch=True,
        preemption=preemption,
        batch_admission=BatchAdmission(one_below=0.99, two_below=0.9),
    )
    source = Listed(columns([1.0, 2.0], 100, [100, 9000], [2, 0]), 10)
    run = Run(source, ready(1), policy, catalogue=plain_catalogue())
    tally = run.engine.tallies()[BATCH]
    assert (tally.evicted, tally.completed, tally.met) == (1, 1, 1)
    latencies = run.engine.latencies(Tier.BATCH)
    assert latencies is not None
    assert (latencies.e2e.quantile(1.0) or 0.0) > 180
    # The prefill that recomputes what it had is a gap like any other.
    again = 0.0 if preemption is Preemption.SWAP else BASE + 150 * PER_TOKEN
    assert latencies.itl.quantile(1.0) == pytest.approx(
        ITERATION + SEQUENCE + again / 99, rel=2 * RELATIVE_ACCURACY
    )


def test_swapped_memory_spares_the_prefill_where_it_lies() -> None:
    again = BASE + (20_000 + 300) * PER_TOKEN  # 300: about what it had generated
    spared = batch_seconds(Preemption.RECOMPUTE) - batch_seconds(Preemption.SWAP)
    assert spared == pytest.approx(again, rel=0.5)


@pytest.mark.parametrize(
    "changes",
    [
        [change("vm-1", Change.READY, NOON + seconds(12))],
        [
            change("vm-0", Change.DRAINING, NOON + seconds(12)),
            change("vm-0", Change.FAILED, NOON + seconds(70)),
            change("vm-1", Change.READY, NOON + seconds(80)),
        ],
        [
            change("vm-0", Change.DRAINING, NOON + seconds(12)),
            change("vm-0", Change.GONE, NOON + seconds(120)),
            change("vm-0", Change.READY, NOON + seconds(130)),
        ],
    ],
    ids=["another replica", "its VM failed", "its VM's slot has another VM"],
)
def test_swapped_memory_is_of_no_use_to_another_vm(changes: list[ReplicaChange]) -> None:
    swapped = batch_seconds(Preemption.SWAP, *changes)
    assert swapped == pytest.approx(batch_seconds(Preemption.RECOMPUTE, *changes), rel=0.001)


def mixed_catalogue(small_tokens: int) -> FleetCatalogue:
    """The small VM type has memory for so many tokens, the big one for a million."""
    catalogue = a_catalogue()
    small = VmTypeName("small")
    models = tuple(
        replace(
            model,
            engines={
                vm_type: replace(
                    law,
                    kv_bytes_available=law.kv_bytes_per_token
                    * (small_tokens if vm_type == small else 1_000_000),
                )
                for vm_type, law in model.engines.items()
            },
        )
        for model in catalogue.models
    )
    return replace(catalogue, models=models)


BIG = a_pool(vm_type="big")


@pytest.mark.parametrize(
    "batch", [BatchAdmission(), None], ids=["batch queue", "dispatched at once"]
)
@pytest.mark.parametrize("small_tokens", [1_000_000, 20_000], ids=["alike", "mixed memory"])
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("dispatch", Dispatch)
def test_an_output_that_has_not_ended_changes_nothing_by_its_length(
    dispatch: Dispatch, order: Order, small_tokens: int, batch: BatchAdmission | None
) -> None:
    """Until the first output ends, any two workloads that differ in their outputs alone are one."""
    rng = np.random.default_rng(4)
    arrivals = np.sort(rng.uniform(0, 8, 60))
    prompts, tiers = rng.integers(50, 4000, 60), rng.integers(0, len(DEMANDS), 60)
    policy = LocalPolicy(dispatch=dispatch, order=order, batch_admission=batch)
    catalogue = mixed_catalogue(small_tokens)
    big = [change(f"big-{n}", Change.READY, pool=BIG) for n in range(2)]
    held = []
    for outputs in (rng.integers(2000, 4000, 60), rng.integers(18_000, 30_000, 60)):
        source = Listed(columns(arrivals, prompts, outputs, tiers), 2)
        run = Run(source, [*ready(2), *big], policy, catalogue=catalogue, minutes=0)
        run.go_on()
        assert run.tally().completed == run.tally().shed == 0
        replicas = run.engine._arrays["replicas"]
        names = ["held", "waiting", "prompts", "context", "held_tokens"]
        held.append(replicas[names].tolist())
    assert held[0] == held[1]


def test_a_sequence_that_outgrows_a_small_replica_goes_on_at_a_larger_one() -> None:
    catalogue = mixed_catalogue(2048)
    source = Listed(columns([1.0], 1000, 3000), 30)
    large = change("big-0", Change.READY, NOON + seconds(5), BIG)
    run = Run(source, [*ready(1), large], catalogue=catalogue)
    tally = run.tally()
    assert (tally.completed, tally.output_tokens, tally.preempted) == (1, 3000, 1)
    assert run.engine.busy_seconds(a_pool()) > 0
    assert run.engine.busy_seconds(BIG) > 0


@pytest.mark.parametrize("preemption", Preemption)
@pytest.mark.parametrize("prefill", Prefill)
@pytest.mark.parametrize("tier", range(3))
def test_a_sequence_that_outgrows_every_replica_is_shed_and_holds_nobody_up(
    tier: int, prefill: Prefill, preemption: Preemption
) -> None:
    policy = LocalPolicy(preemption=preemption, prefill=prefill)
    source = Listed(columns([1.0, 200.0], 1000, [3000, 10], tier), 30)
    run = Run(source, ready(1), policy, catalogue=mixed_catalogue(2048))
    tally = run.tally()
    assert (tally.completed, tally.shed, tally.in_flight) == (1, 1, 0)


def test_a_short_output_is_expected_where_short_ones_were_seen() -> None:
    """A prompt and its expected output are what a replica must hold, as far as any does."""
    catalogue = mixed_catalogue(1056)
    # A prompt of 1000 and the 100 tokens that the catalogue assumes do not fit, one of 900 does.
    for prompt, pool in ((1000, BIG), (900, a_pool())):
        source = Listed(columns([1.0], prompt, 5), 2)
        large = change("big-0", Change.READY, pool=BIG)
        run = Run(source, [*ready(1), large], catalogue=catalogue)
        assert run.tally().completed == 1
        assert run.engine.busy_seconds(pool) > 0
