"""A promise that no idle replica could keep is nobody's failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import DemandKey, ModelName, Tier, VmTypeName
from simulation.requests.columns import RequestColumns
from simulation.requests.reach import Reach, prefill_seconds
from tests.builders import a_catalogue, catalogue_mapping
from tests.simulation.requests.sources import key

LAW = a_catalogue().law(ModelName("alpha"), VmTypeName("big"))


def requests(*lengths: tuple[int, int]) -> RequestColumns:
    prompt, output = np.array(lengths).T
    return RequestColumns(
        arrival_seconds=np.arange(len(lengths), dtype=np.float64),
        demand=np.zeros(len(lengths), np.int16),
        input_tokens=prompt.astype(np.int32),
        output_tokens=output.astype(np.int32),
    )


def judged(catalogue: FleetCatalogue, demand: DemandKey, *lengths: tuple[int, int]) -> list[bool]:
    return list(Reach(catalogue, (demand,)).of(requests(*lengths)))


def strict(**changes: Any) -> FleetCatalogue:
    """The small catalogue whose interactive-fast promises one second whatever the prompt."""
    mapping = catalogue_mapping()
    fast = mapping["models"][0]["tiers"]["interactive-fast"]  # one mapping for all models
    del fast["ttft_prefill_multiple"], fast["reference_vm_type"]
    fast |= changes
    return a_catalogue(mapping)


def test_prefill_of_many_prompts_is_that_of_each() -> None:
    prompts = [1, 2048, 2049, 20_000]
    each = [LAW.prefill_seconds(prompt) for prompt in prompts]
    assert prefill_seconds(LAW, np.array(prompts, float)) == pytest.approx(each)


def test_the_prompt_that_just_fits_into_the_promise_is_the_longest_within_reach() -> None:
    home = 0.004
    longest = next(n for n in range(1, 50_000) if home + LAW.prefill_seconds(n) > 1.0) - 1
    assert judged(strict(), key(), (longest, 10), (longest + 1, 10)) == [True, False]


def test_the_first_token_comes_from_the_fastest_replica_that_may_serve() -> None:
    found = Reach(strict(), (key(),)).first_token_seconds(requests((1000, 10)))
    assert found[0] == pytest.approx(0.004 + LAW.prefill_seconds(1000))


def test_a_token_gap_below_that_of_one_sequence_is_out_of_reach() -> None:
    alone = LAW.decode_seconds(1, 1000 + 50)
    assert judged(strict(itl_seconds=alone * 1.001), key(), (1000, 100)) == [True]
    assert judged(strict(itl_seconds=alone * 0.999), key(), (1000, 100)) == [False]


def test_a_request_that_no_memory_holds_is_out_of_reach() -> None:
    batch = key(tier=Tier.BATCH)
    assert judged(a_catalogue(), batch, (LAW.kv_tokens - 1, 1)) == [True]
    assert judged(a_catalogue(), batch, (LAW.kv_tokens, 1)) == [False]


def test_a_deadline_that_passes_while_it_runs_alone_is_out_of_reach() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        model["tiers"]["batch"]["deadline_seconds"] = 60
    outputs = [(100, 100), (100, 5000)]
    assert judged(a_catalogue(mapping), key(tier=Tier.BATCH), *outputs) == [True, False]


def test_without_a_quota_nothing_is_within_reach() -> None:
    mapping = catalogue_mapping()
    for region in mapping["regions"]:
        region["vm_types"] = {name: {"quota": 0, "on_demand": 1.0} for name in ("small", "big")}
    assert judged(a_catalogue(mapping), key(), (10, 10)) == [False]
