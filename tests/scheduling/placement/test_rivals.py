"""What every rival of best fit does, and what all placers have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from heliostat.errors import UnknownModel
from heliostat.model.names import ModelName
from scheduling.placement.best_fit import BestFit, KvBestFit
from scheduling.placement.freeness import Freeness
from scheduling.placement.placer import Placer, Reason
from scheduling.placement.rivals import JoinShortestQueue, PowerOfTwo, RandomReplica, RoundRobin
from scheduling.placement.split import SplitBestFit
from tests.scheduling.builders import a_law, a_promise, a_request, some_workers


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


PLACERS: dict[str, Callable[[], Placer]] = {
    "best-fit": BestFit,
    "kv-best-fit": KvBestFit,
    "split": lambda: SplitBestFit(some_workers(2)),
    "freeness": Freeness,
    "shortest-queue": JoinShortestQueue,
    "power-of-two": lambda: PowerOfTwo(chance()),
    "random": lambda: RandomReplica(chance()),
    "round-robin": RoundRobin,
}
ALL = pytest.mark.parametrize("make", PLACERS.values(), ids=PLACERS.keys())


@ALL
def test_a_replica_that_accepts_is_found_with_what_it_takes(make: Callable[[], Placer]) -> None:
    workers = some_workers(3)
    workers.drain("a0")
    workers.drain("a2")
    placed = make().place(a_request(), workers, 0.0)
    assert (placed.row, placed.reason) == (1, Reason.PLACED)
    assert placed.expected_ttft_seconds == pytest.approx(0.12)


@ALL
def test_without_one_there_is_no_row(make: Callable[[], Placer]) -> None:
    workers = some_workers(1)
    workers.drain("a0")
    placed = make().place(a_request(), workers, 0.0)
    assert (placed.row, placed.reason) == (None, Reason.NO_REPLICA)


@ALL
def test_requests_of_another_model_are_refused(make: Callable[[], Placer]) -> None:
    with pytest.raises(UnknownModel):
        make().place(a_request(model=ModelName("other")), some_workers(), 0.0)


@ALL
def test_stale_replicas_are_left_out_by_all_but_the_one_that_needs_no_state(
    make: Callable[[], Placer],
) -> None:
    workers = some_workers(2)
    workers.forget_reports_before(1.0)
    placer = make()
    placed = placer.place(a_request(), workers, 2.0)
    if isinstance(placer, RoundRobin):
        assert placed.row == 0
    else:
        assert (placed.row, placed.reason) == (None, Reason.STALE)


@ALL
def test_placing_changes_nothing_in_the_workers(make: Callable[[], Placer]) -> None:
    workers = some_workers(3)
    workers.book(1, a_request("before"), 0.0)
    before = workers.rows.tobytes()
    make().place(a_request(), workers, 0.5)
    assert workers.rows.tobytes() == before


def test_the_shortest_queue_counts_requests_also_of_others() -> None:
    workers = some_workers(3)
    workers.book(0, a_request("one"), 0.0)
    workers.report("a1", 0.0, running=2, waiting=0, kv_tokens=0)
    assert JoinShortestQueue().place(a_request(), workers, 0.0).row == 2
    workers.book(2, a_request("two"), 0.0)
    workers.book(2, a_request("three"), 0.0)
    placed = JoinShortestQueue().place(a_request(), workers, 0.0)
    assert placed.row == 0
    # One prefill of 0.12 s and the iteration under way come before its own.
    iteration = a_law().iteration_seconds(1, 1100)
    assert placed.expected_ttft_seconds == pytest.approx(0.24 + iteration)


def test_power_of_two_never_takes_the_longer_of_two_queues() -> None:
    workers = some_workers(2)
    for name in range(5):
        workers.book(0, a_request(name), 0.0)
    placer = PowerOfTwo(chance())
    taken = Counter(placer.place(a_request(), workers, 0.0).row for _ in range(200))
    # The longer queue is taken only when both draws are it: a quarter.
    assert 30 < taken[0] < 70


def test_random_takes_all_alike_and_the_same_seed_the_same() -> None:
    workers = some_workers(4)
    placer = RandomReplica(chance(3))
    taken = [placer.place(a_request(), workers, 0.0).row for _ in range(400)]
    assert min(Counter(taken).values()) > 60
    again = RandomReplica(chance(3))
    assert [again.place(a_request(), workers, 0.0).row for _ in range(400)] == taken


def test_round_robin_goes_round_past_those_that_drain() -> None:
    workers = some_workers(3)
    workers.drain("a1")
    placer = RoundRobin()
    assert [placer.place(a_request(), workers, 0.0).row for _ in range(5)] == [0, 2, 0, 2, 0]


def test_freeness_is_memory_left_by_the_batch_that_eats_it() -> None:
    workers = some_workers(3)
    for replica, running, tokens in (("a0", 10, 20_000), ("a1", 1, 90_000), ("a2", 40, 10_000)):
        workers.report(replica, 0.0, running=running, waiting=0, kv_tokens=tokens)
    # 80,000 ÷ 10 = 8,000 iterations; 10,000 ÷ 1; 90,000 ÷ 40 = 2,250.
    assert Freeness().place(a_request(), workers, 0.0).row == 1
    workers.book(1, a_request("long", input_tokens=9_900), 0.0)
    assert Freeness().place(a_request(), workers, 0.0).row == 0
    workers.appear("idle", a_law(), 0.0)
    assert Freeness().place(a_request(), workers, 0.0).row == 3


def test_split_places_both_halves_or_neither() -> None:
    prefill, decode = some_workers(2), some_workers(3)
    placer = SplitBestFit(prefill)
    for name in range(20):
        request = a_request(name)
        placed = placer.place(request, decode, 0.0)
        if placed.row is None or placed.prefill_row is None:
            break
        prefill.book(placed.prefill_row, request, 0.0)
        decode.book(placed.row, request, 0.0, prefilled=True)
    # A first token within a second: 8 prefills of 0.12 s on each of two workers, and no more.
    assert prefill.rows["waiting"][:2].tolist() == [8, 8]
    assert (placed.reason, placed.row, placed.prefill_row) == (Reason.TTFT, None, None)
    assert decode.rows["waiting"][:3].tolist() == [16, 0, 0]
    assert decode.rows[0]["prefill_free_at"] == 0.0
    strict = a_request("strict", promise=a_promise(itl_seconds=0.001, ttft_seconds=60))
    assert placer.place(strict, decode, 0.0).reason is Reason.ITL
