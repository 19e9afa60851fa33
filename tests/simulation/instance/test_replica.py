"""One replica, iteration by iteration: closed forms equal walking, nobody is lost, orders are obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from scheduling.ordering.by_key import EDF, FCFS, SJF
from scheduling.ordering.port import Ordered, Queue
from simulation.instance.iterations import iterations_reaching, iterations_seconds
from simulation.instance.jobs import Job, Served, outcome
from simulation.instance.mix import CHAT, CODE, Foresight, Load
from simulation.instance.replica import Replica
from tests.scheduling.ordering.builders import a_request, chance, until

LAW = EngineLaw(
    prefill_base=0.02,
    prefill_per_token=1e-4,
    prefill_per_token_beyond_knee=2e-5,
    decode_base=0.03,
    decode_per_sequence=5e-4,
    decode_per_sequence_kilotoken=1e-4,
    kv_bytes_per_token=1000,
    kv_bytes_available=20_000_000,
    max_batch=32,
    fitted_batch=32,
)


def a_job(name: str, output: int, *, tokens: int = 500, arrival: float = 0.0) -> Job:
    request = a_request(name, output=float(output), input_tokens=tokens, arrival=arrival)
    return Job(request=request, output_tokens=output)


def walked(jobs: Sequence[Job], law: EngineLaw = LAW) -> dict[str, float]:
    """When each ends that runs in one batch, iteration by iteration."""
    now = law.prefill_seconds(sum(job.request.input_tokens for job in jobs))
    left = {job.request.id: job.output_tokens - 1 for job in jobs}
    context = {job.request.id: job.request.input_tokens + 1 for job in jobs}
    ends = {name: now for name, more in left.items() if not more}
    while len(ends) < len(jobs):
        running = [name for name in left if name not in ends]
        now += law.decode_seconds(
            len(running), sum(context[name] for name in running) / len(running)
        )
        for name in running:
            left[name] -= 1
            context[name] += 1
            if not left[name]:
                ends[name] = now
    return ends


@dataclass
class Watched:
    """FCFS that remembers what it was asked."""

    queues: list[Queue] = field(default_factory=list)

    def order(self, queue: Queue, luck: np.random.Generator) -> Ordered:
        self.queues.append(queue)
        return FCFS.order(queue, luck)


def ends(served: Sequence[Served]) -> dict[str, float]:
    return {one.job.request.id: one.end for one in served}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 3000)), min_size=1, max_size=6))
@settings(max_examples=30)
def test_a_static_batch_ends_as_walking_through_it_says(shapes: list[tuple[int, int]]) -> None:
    jobs = [a_job(str(n), output, tokens=tokens) for n, (output, tokens) in enumerate(shapes)]
    served = Replica(law=LAW, batch_cap=6).serve(jobs, FCFS, chance())
    found = ends(served)
    for name, end in walked(jobs).items():
        assert found[name] == pytest.approx(end)


@given(
    sequences=st.integers(1, 8), tokens=st.integers(1, 9000), count=st.integers(1, 200)
)  # fmt: skip
def test_the_iterations_that_reach_a_time_are_the_fewest(
    sequences: int, tokens: int, count: int
) -> None:
    seconds = iterations_seconds(LAW, sequences, tokens, count)
    assert iterations_reaching(LAW, sequences, tokens, seconds, 500) == count
    assert iterations_reaching(LAW, sequences, tokens, seconds + 1e-3, 500) == count + 1
    assert iterations_reaching(LAW, sequences, tokens, 1e9, 7) == 7


def test_static_batches_run_one_after_another() -> None:
    jobs = [a_job("a", 30), a_job("b", 10), a_job("c", 10)]
    served = Replica(law=LAW, batch_cap=2).serve(jobs, FCFS, chance())
    found, alone = ends(served), walked([jobs[2]])
    assert found["c"] == pytest.approx(found["a"] + alone["c"])


def test_with_continuous_batching_the_next_joins_when_a_place_is_free() -> None:
    jobs = [a_job("a", 300), a_job("b", 10), a_job("c", 10)]
    served = Replica(law=LAW, batch_cap=2, continuous=True).serve(jobs, FCFS, chance())
    first = {one.job.request.id: one.first_token for one in served}
    found = ends(served)
    assert found["b"] < first["c"] < found["c"] < found["a"]


def test_who_comes_in_the_middle_of_an_iteration_joins_at_its_end() -> None:
    jobs = [a_job("a", 200), a_job("b", 10, arrival=1.0)]
    served = Replica(law=LAW, batch_cap=2, continuous=True).serve(jobs, FCFS, chance())
    first = {one.job.request.id: one.first_token for one in served}
    prefill = LAW.prefill_seconds(500)
    assert 1.0 <= first["b"] - prefill < 1.0 + 0.04


@pytest.mark.parametrize("continuous", [False, True])
@given(seed=st.integers(0, 1000), cap=st.integers(1, 8))
@settings(max_examples=15)
def test_everybody_is_served_once_and_never_before_it_came(
    continuous: bool, seed: int, cap: int
) -> None:
    jobs = Load(count=25, per_second=0.5).jobs(np.random.default_rng(seed))
    law = replace(LAW, kv_bytes_available=20_000_000)
    served = Replica(law=law, batch_cap=cap, continuous=continuous).serve(jobs, SJF, chance())
    assert sorted(one.job.request.id for one in served) == [job.request.id for job in jobs]
    for one in served:
        assert one.job.request.arrival < one.first_token <= one.end


def test_sequences_that_would_overfill_memory_wait() -> None:
    """20,000 tokens fit: two of 9,000, not three."""
    jobs = [a_job(name, 100, tokens=8900) for name in "abc"]
    for continuous in (False, True):
        served = Replica(law=LAW, batch_cap=4, continuous=continuous).serve(jobs, FCFS, chance())
        first = {one.job.request.id: one.first_token for one in served}
        assert first["a"] == first["b"] < first["c"]


def test_a_request_that_never_fits_is_refused() -> None:
    with pytest.raises(InvalidInput, match="never fit"):
        Replica(law=LAW, batch_cap=1).serve([a_job("a", 100, tokens=19_950)], FCFS, chance())


def test_an_order_is_made_anew_only_when_somebody_came() -> None:
    jobs = [a_job(str(n), 50) for n in range(6)] + [a_job("late", 50, arrival=2.0)]
    watched = Watched()
    Replica(law=LAW, batch_cap=2).serve(jobs, watched, chance())
    assert [len(queue.requests) for queue in watched.queues] == [6, 3]


def test_an_order_that_ages_is_made_anew_at_each_admission() -> None:
    watched = Watched()
    replica = Replica(law=LAW, batch_cap=2, continuous=True, replan_seconds=0.0)
    replica.serve([a_job(str(n), 50 + n) for n in range(6)], watched, chance())
    assert [len(queue.requests) for queue in watched.queues] == [6, 4, 3, 2, 1]
    assert all(queue.continuous for queue in watched.queues)


def test_a_replica_rests_until_somebody_comes() -> None:
    (served,) = Replica(law=LAW, batch_cap=1).serve([a_job("a", 1, arrival=100.0)], FCFS, chance())
    assert served.first_token == served.end == pytest.approx(100.0 + LAW.prefill_seconds(500))


def test_nobody_is_served_when_nobody_comes() -> None:
    assert Replica(law=LAW, batch_cap=1).serve([], FCFS, chance()) == ()


def test_promises_are_judged_by_first_token_gap_and_end() -> None:
    job = a_job("a", 101)
    assert Served(job=job, first_token=10.0, end=15.0).kept
    assert not Served(job=job, first_token=10.1, end=12.0).kept
    assert not Served(job=job, first_token=1.0, end=6.1).kept
    code = Job(request=a_request("b", promise=until(30.0)), output_tokens=1)
    assert Served(job=code, first_token=29.0, end=30.0).kept
    assert not Served(job=code, first_token=29.0, end=30.1).kept


def test_an_outcome_is_a_share_a_mean_and_their_ratio() -> None:
    job = a_job("a", 101)
    found = outcome(
        [Served(job=job, first_token=1.0, end=4.0), Served(job=job, first_token=11.0, end=16.0)]
    )
    assert (found.attainment, found.mean_seconds, found.gain) == (0.5, 10.0, 0.05)


def test_a_job_generates_at_least_one_token() -> None:
    with pytest.raises(InvalidInput, match="output_tokens"):
        Job(request=a_request("a"), output_tokens=0)


def test_what_is_known_of_lengths_changes_no_request() -> None:
    loads = [Load(count=10, foresight=foresight) for foresight in Foresight]
    task, oracle = (load.jobs(np.random.default_rng(1)) for load in loads)
    assert [job.output_tokens for job in task] == [job.output_tokens for job in oracle]
    assert all(job.request.length.mean_tokens == job.output_tokens for job in oracle)
    assert len({job.request.length for job in task}) == 2
    assert all(job.request.length.deviation_tokens > 0 for job in task)


def test_half_of_a_load_is_chat_and_half_is_code() -> None:
    jobs = Load(count=10).jobs(np.random.default_rng(2))
    kinds = [job.request.promise for job in jobs]
    assert (kinds.count(CHAT.promise), kinds.count(CODE.promise)) == (5, 5)


def test_a_stream_comes_at_its_rate() -> None:
    jobs = Load(count=2000, per_second=4.0).jobs(np.random.default_rng(3))
    assert jobs[-1].request.arrival == pytest.approx(500, rel=0.1)


def test_edf_on_a_replica_starts_chat_before_code() -> None:
    jobs = Load(count=8).jobs(np.random.default_rng(4))
    served = Replica(law=LAW, batch_cap=1).serve(jobs, EDF, chance())
    kinds = [one.job.request.promise == CHAT.promise for one in served]
    assert kinds == sorted(kinds, reverse=True)
