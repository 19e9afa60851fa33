"""Nothing is lost and nothing is made up, whatever comes and whatever befalls the replicas."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.catalogue import FleetCatalogue
from simulation.clients import Clients, RetryRule
from simulation.engine import Change, ReplicaChange
from simulation.local_policy import (
    BatchAdmission,
    ChironBatchSize,
    Dispatch,
    LocalPolicy,
    Order,
    Preemption,
    Prefill,
    StaticBatchSize,
)
from tests.builders import NOON, a_catalogue, a_pool, catalogue_mapping
from tests.simulation.event.builders import Listed, Run, change, poisson, ready, seconds

POLICIES = st.builds(
    LocalPolicy,
    order=st.sampled_from(Order),
    dispatch=st.sampled_from(Dispatch),
    prefill=st.sampled_from(Prefill),
    max_prefill_tokens=st.sampled_from([500, 8192]),
    chunk_tokens=st.sampled_from([8, 128, 512]),
    preemption=st.sampled_from(Preemption),
    batch_size=st.sampled_from(
        [StaticBatchSize(), StaticBatchSize(most=3), ChironBatchSize(), ChironBatchSize(first=1)]
    ),
    batch_admission=st.sampled_from(
        [None, BatchAdmission(), BatchAdmission(promoted_after=timedelta(seconds=40))]
    ),
    interactive_evicts_batch=st.booleans(),
)
CLIENTS = st.builds(
    Clients,
    retries=st.builds(
        RetryRule,
        most=st.integers(0, 2),
        back_off=st.sampled_from([timedelta(0), timedelta(seconds=7), timedelta(minutes=2)]),
    ),
    least_patience=st.sampled_from([timedelta(seconds=1), timedelta(seconds=30)]),
)
BEFALLS = st.lists(
    st.tuples(
        st.integers(0, 290),
        st.integers(0, 3),
        st.sampled_from([Change.DRAINING, Change.EVICTING, Change.FAILED, Change.GONE]),
    ),
    max_size=6,
)
LENGTH = 300
MINUTES = 60


def narrow_catalogue(memory_tokens: int) -> FleetCatalogue:
    """Little memory, and batch work that is given up after half an hour."""
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        model["tiers"]["batch"]["deadline_seconds"] = 1800
        for law in model["engines"].values():
            law["kv_gb"] = memory_tokens * law["kv_bytes_per_token"] / 1e9
    return a_catalogue(mapping)


def befallen(befalls: list[tuple[int, int, Change]]) -> list[ReplicaChange]:
    """Four replicas, what befalls them (each once), and a fifth that comes late and stays."""
    changes = ready(4)
    gone: set[int] = set()
    for at, number, what in sorted(befalls, key=lambda one: one[0]):
        if number not in gone:
            gone.add(number)
            changes.append(change(f"vm-{number}", what, NOON + seconds(at)))
    return [*changes, change("vm-9", Change.READY, NOON + seconds(LENGTH))]


def a_run(seed: int, policy: LocalPolicy, clients: Clients, befalls: Any, memory: int) -> Run:
    rng = np.random.default_rng(seed)
    stream = poisson(
        rng,
        per_second=float(rng.uniform(0.5, 6)),
        seconds=LENGTH,
        prompt=400,
        output=60,
        mix=(0.3, 0.3, 0.4),
    )
    return Run(
        Listed(stream, MINUTES),
        befallen(befalls),
        policy,
        catalogue=narrow_catalogue(memory),
        clients=clients,
        with_sketches=True,
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    policy=POLICIES,
    clients=CLIENTS,
    befalls=BEFALLS,
    memory=st.sampled_from([3000, 9000, 400_000]),
)
def test_every_request_ends_once_and_every_token_is_booked(
    seed: int, policy: LocalPolicy, clients: Clients, befalls: Any, memory: int
) -> None:
    run = a_run(seed, policy, clients, befalls, memory)
    stream = run.columns
    tally = run.tally()
    assert tally.offered == run.engine.offered() == len(stream)
    assert tally.in_flight == 0
    assert tally.completed + tally.shed == tally.offered
    assert tally.input_tokens == int(stream.input_tokens.sum())
    if not tally.shed:
        assert tally.output_tokens == int(stream.output_tokens.sum())
    assert tally.met <= tally.started
    reachable = [one.reachable for one in run.engine.tallies().values()]
    assert tally.met <= sum(one or 0 for one in reachable) <= tally.offered
    # Windows count attempts; a lost one is neither completed nor rejected.
    assert run.total("offered") == tally.offered + tally.retried
    assert run.total("retried") == tally.retried
    assert run.total("completed") == tally.completed
    assert run.total("output_tokens") == tally.output_tokens
    lost = run.total("offered") - run.total("completed") - run.total("rejected")
    assert 0 <= lost <= tally.lost
    for window in run.windows.values():
        assert window.admitted + window.rejected == window.offered
        assert window.completed <= window.admitted
        assert (0 if window.ttft is None else window.ttft.count) == window.completed
    arrays = run.engine._arrays
    assert arrays.scalar("in_flight") == 0
    assert not arrays["backlog"].any()
    replicas = arrays["replicas"]
    for name in (
        "held",
        "running",
        "waiting",
        "held_tokens",
        "context",
        "batch_tokens",
        "prompt_tokens",
        "head_done",
    ):
        assert not replicas[name].any(), name
    idle = replicas["standing"] == 1
    assert arrays["work"][idle] == pytest.approx(0.0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), policy=POLICIES, befalls=BEFALLS)
def test_the_same_arguments_give_the_same_run(seed: int, policy: LocalPolicy, befalls: Any) -> None:
    clients = Clients(retries=RetryRule(most=1))
    one, other = (a_run(seed, policy, clients, befalls, 9000) for _ in range(2))
    assert one.windows == other.windows
    assert one.engine.tallies() == other.engine.tallies()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), policy=POLICIES)
def test_the_length_of_a_step_changes_nothing(seed: int, policy: LocalPolicy) -> None:
    stream = poisson(
        np.random.default_rng(seed), per_second=4, seconds=240, output=60, mix=(0.3, 0.3, 0.4)
    )
    catalogue = narrow_catalogue(20_000)
    runs = [
        Run(Listed(stream, 40), ready(2), policy, catalogue=catalogue, step=seconds(step))
        for step in (10, 30, 60)
    ]
    for run in runs[1:]:
        assert run.engine.tallies() == runs[0].engine.tallies()
        assert run.windows == runs[0].windows
    busy = [run.engine.busy_seconds(a_pool()) for run in runs]
    assert busy[1:] == pytest.approx(busy[:-1])
