"""Queues that books know: what the event engine says must be what they say."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from heliostat.catalogue import FleetCatalogue
from heliostat.model.engine import EngineLaw
from heliostat.model.latency import LatencySketch, bucket_seconds
from heliostat.model.names import Tier
from simulation.clients import Clients
from simulation.local_policy import LocalPolicy
from tests.builders import MINUTE, a_catalogue, a_pool
from tests.simulation.event.builders import NORMAL, Listed, Run, columns, ready

ITERATION_SECONDS = 0.001
PATIENT = Clients(least_patience=timedelta(days=30))
TRIP_SECONDS = 0.004
MANY, SEEDS = 100_000, (1, 2, 3, 4)


def servers(count: int) -> FleetCatalogue:
    """A replica that is `count` servers: a request takes its output tokens × 1 ms, whoever else runs."""
    law = EngineLaw(
        prefill_base=1e-9,
        prefill_per_token=1e-12,
        prefill_per_token_beyond_knee=0.0,
        decode_base=ITERATION_SECONDS,
        decode_per_sequence=0.0,
        decode_per_sequence_kilotoken=0.0,
        kv_bytes_per_token=1,
        kv_bytes_available=10**9,
        max_batch=count,
        fitted_batch=count,
    )
    catalogue = a_catalogue()
    models = tuple(
        replace(model, engines=dict.fromkeys(model.engines, law)) for model in catalogue.models
    )
    return replace(catalogue, models=models)


def mean(sketch: LatencySketch) -> float:
    return sum(bucket_seconds(b) * n for b, n in sketch.counts.items()) / sketch.count


def a_run(outputs: np.ndarray, rate: float, count: int, seed: int = 1) -> Run:
    arrivals = arrival_times(rate, len(outputs), seed)
    minutes = int(arrivals[-1] // 60) + 20
    source = Listed(columns(arrivals, 1, outputs), minutes)
    policy = LocalPolicy(max_prefill_tokens=10**6)
    catalogue = servers(count)
    return Run(source, ready(1), policy, catalogue=catalogue, clients=PATIENT, step=MINUTE)


def arrival_times(rate: float, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(1 / rate, count))


def wait_of_servers(arrivals: np.ndarray, outputs: np.ndarray, count: int) -> float:
    """Mean wait when each request takes the server that is free first."""
    free, waited = [0.0] * count, 0.0
    for arrival, output in zip(arrivals.tolist(), outputs.tolist(), strict=True):
        begin = max(arrival, heapq.heappop(free))
        waited += begin - arrival
        heapq.heappush(free, begin + (output - 1) * ITERATION_SECONDS)
    return waited / len(arrivals)


def mean_wait(run: Run) -> float:
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    return mean(latencies.ttft) - TRIP_SECONDS


@pytest.mark.parametrize(("count", "load"), [(1, 0.5), (1, 0.8), (4, 0.8), (16, 0.9)])
def test_waits_are_those_of_servers_that_take_who_came_first(count: int, load: float) -> None:
    outputs = 1 + np.random.default_rng(3).geometric(0.01, 20_000)
    rate = load * count / (100 * ITERATION_SECONDS)
    run = a_run(outputs, rate, count)
    expected = wait_of_servers(arrival_times(rate, len(outputs)), outputs, count)
    # Arrivals join at boundaries of iterations.
    assert mean_wait(run) == pytest.approx(expected, rel=0.01, abs=ITERATION_SECONDS)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_server_with_exponential_service_waits_as_m_m_1(load: float) -> None:
    # A request of n tokens takes n − 1 iterations; geometric numbers of them are almost exponential.
    service = 100 * ITERATION_SECONDS

    def outputs(seed: int) -> np.ndarray:
        return 1 + np.random.default_rng(100 + seed).geometric(0.01, MANY)

    waits = [mean_wait(a_run(outputs(seed), load / service, 1, seed)) for seed in SEEDS]
    assert np.mean(waits) == pytest.approx(load / (1 - load) * service, rel=0.04)


@pytest.mark.parametrize(("count", "load"), [(1, 0.7), (4, 0.8)])
def test_constant_service_waits_as_m_d_c(count: int, load: float) -> None:
    service = 200 * ITERATION_SECONDS
    outputs = np.full(MANY, 201)
    waits = [mean_wait(a_run(outputs, load * count / service, count, seed)) for seed in SEEDS]
    expected = m_d_c_wait(count, load, service)
    assert np.mean(waits) == pytest.approx(expected, rel=0.04, abs=ITERATION_SECONDS)


def test_what_is_in_the_system_is_what_arrives_times_how_long_it_stays() -> None:
    rng = np.random.default_rng(5)
    outputs = 1 + rng.geometric(0.01, 20_000)
    rate = 32.0
    arrivals = np.cumsum(rng.exponential(1 / rate, len(outputs)))
    source = Listed(columns(arrivals, 1, outputs), int(arrivals[-1] // 60))
    run = Run(source, ready(1), catalogue=servers(4), clients=PATIENT, minutes=0)
    seen = []
    while run.now < source.span.end:
        run.go_on()
        gauge = run.engine.gauge(a_pool())
        assert gauge is not None
        seen.append(gauge.running_requests + gauge.waiting_requests)
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    stay = mean(latencies.e2e) - TRIP_SECONDS
    assert np.mean(seen) == pytest.approx(rate * stay, rel=0.08)


def test_a_server_that_has_work_works_and_nothing_is_done_twice() -> None:
    outputs = np.full(5000, 101)
    run = a_run(outputs, 9.0, 1)
    tally = run.engine.tallies()[NORMAL]
    assert tally.completed == 5000
    assert run.engine.busy_seconds(a_pool()) == pytest.approx(5000 * 100 * ITERATION_SECONDS)
    assert tally.output_tokens == 5000 * 101 == run.total("output_tokens")


def m_d_c_wait(count: int, load: float, service: float) -> float:
    """Mean wait of M/D/c: Cosmetatos (Operational Research Quarterly 26, 1975), exact for one server."""
    share = (1 - load) * (count - 1) * (math.sqrt(4 + 5 * count) - 2) / (16 * load * count)
    return 0.5 * (1 + share) * _erlang_c(count, load) * service / (count * (1 - load))


def _erlang_c(count: int, load: float) -> float:
    offered = count * load
    terms = [offered**k / math.factorial(k) for k in range(count)]
    waiting = offered**count / math.factorial(count) / (1 - load)
    return waiting / (sum(terms) + waiting)
