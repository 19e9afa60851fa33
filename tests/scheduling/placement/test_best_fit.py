"""Best fit against every worker tried one by one, in plain Python, on fleets of any kind."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings

from heliostat.errors import InvalidInput, UnknownModel
from heliostat.model.names import ModelName
from scheduling.placement.best_fit import BestFit, KvBestFit
from scheduling.placement.margins import Margins
from scheduling.placement.placer import Reason
from scheduling.request import Request
from scheduling.workers import Workers
from tests.scheduling.builders import a_law, a_promise, a_request, some_workers
from tests.scheduling.placement.builders import fleets, requests

MARGINS = Margins(memory_share=0.9, time=0.1, foresight=0.4)


def judged(
    workers: Workers, row: int, booked: list[Request], request: Request, now: float = 0.0
) -> tuple[Reason, float]:
    """The first row that a worker breaks, from the definition; and its residual."""
    worker, stretch = workers.rows[row], 1.0 + MARGINS.time

    def iteration(sequences: int, tokens: float) -> float:
        seconds = (
            worker["decode_base"]
            + worker["decode_per_sequence"] * sequences
            + worker["decode_per_token"] * tokens
        )
        return float(seconds * (1 + worker["error"]))

    def prefill(tokens: int) -> float:
        law = worker["prefill_base"] + worker["prefill_per_token"] * tokens
        return float(max(worker["prefill_floor"], law) * (1 + worker["error"]))

    def output(one: Request) -> int:
        return int(one.length.mean_tokens)

    room = MARGINS.memory_share * worker["kv_capacity_tokens"]
    overhead = worker["kv_tokens_per_sequence"]
    peaks = [one.input_tokens + output(one) + overhead for one in [*booked, request]]
    if peaks[-1] > room:
        return Reason.TOO_LONG, 0.0
    if sum(peaks) > room:
        return Reason.MEMORY, 0.0
    if len(booked) + 1 > worker["max_batch"]:
        return Reason.BATCH, 0.0
    contexts = [one.input_tokens + output(one) // 2 for one in [*booked, request]]
    wait = max(0.0, worker["prefill_free_at"] - now)
    if booked:
        wait += stretch * iteration(len(booked), sum(contexts[:-1]))
    own = stretch * prefill(request.input_tokens)
    waited = now - request.arrival
    if waited < request.promise.ttft_seconds < waited + wait + own:
        return Reason.TTFT, 0.0
    before = iteration(len(booked), sum(contexts[:-1]))
    then = stretch * iteration(len(booked) + 1, sum(contexts))
    if then > request.promise.itl_seconds:
        return Reason.ITL, 0.0
    begins, free = [], -2.0
    for one in booked:
        booking = workers.booking(one.id)
        assert booking is not None
        free = max(free, booking.at) + prefill(one.input_tokens)
        begins.append(free)
    for place, one in enumerate(booked):
        gaps: float = output(one) - 1
        if gaps == 0:
            continue
        stalled = sum(prefill(later.input_tokens) for later in booked[place + 1 :])
        promised = one.promise.itl_seconds
        passed = min(gaps, max(0.0, (now - begins[place] - stalled) / before))
        gaps = passed + MARGINS.foresight * (gaps - passed)
        if (promised - before) * gaps - stalled < -1e-12:
            continue
        if (promised - then) * gaps - stalled < own - 1e-12:
            return Reason.STALL, 0.0
    left = (1 - then / request.promise.itl_seconds, 1 - sum(peaks) / room)
    return Reason.PLACED, math.hypot(*left)


@settings(max_examples=300, deadline=None)
@given(fleet=fleets(), request=requests())
def test_it_takes_the_fullest_of_the_workers_that_break_no_row(
    fleet: tuple[Workers, dict[str, list[Request]]], request: Request
) -> None:
    workers, booked = fleet
    answers = {
        row: judged(workers, row, booked[name], request)
        for row, name in enumerate(workers.replicas)
        if workers.rows[row]["accepting"] and workers.rows[row]["fresh"]
    }
    fitting = {row: left for row, (reason, left) in answers.items() if reason is Reason.PLACED}
    placed = BestFit(MARGINS).place(request, workers, 0.0)
    if fitting:
        assert placed.reason is Reason.PLACED
        assert placed.row is not None
        assert fitting[placed.row] == pytest.approx(min(fitting.values()), abs=1e-9)
        ttft = placed.expected_ttft_seconds
        assert ttft is not None
        assert ttft <= request.promise.ttft_seconds
    else:
        assert placed.row is None
        reasons = {reason for reason, _ in answers.values()}
        assert placed.reason in reasons | {Reason.NO_REPLICA, Reason.STALE}


@settings(max_examples=150, deadline=None)
@given(fleet=fleets(), request=requests())
def test_rows_hold_after_placing_and_the_fleet_is_not_touched(
    fleet: tuple[Workers, dict[str, list[Request]]], request: Request
) -> None:
    workers, _ = fleet
    before = workers.rows.tobytes(), workers.seats.tobytes()
    # With less foresight who only keeps a promise by gaps that are in doubt binds nobody.
    placed = BestFit(replace(MARGINS, foresight=1.0)).place(request, workers, 0.0)
    assert (workers.rows.tobytes(), workers.seats.tobytes()) == before
    if placed.row is None:
        return
    kept = slacks(workers, placed.row)
    workers.book(placed.row, request, 0.0)
    worker = workers.rows[placed.row]
    sequences = worker["running"] + worker["waiting"]
    peak = worker["kv_peak_tokens"] + sequences * worker["kv_tokens_per_sequence"]
    assert peak <= MARGINS.memory_share * worker["kv_capacity_tokens"]
    assert sequences <= worker["max_batch"]
    assert worker["prefill_free_at"] <= request.promise.ttft_seconds
    for before_it, after_it in zip(kept, slacks(workers, placed.row), strict=False):
        assert before_it < 0 or after_it >= -1e-9


def slacks(workers: Workers, row: int) -> list[float]:
    """What everybody booked on a worker can still be stalled, at its iterations now."""
    worker, seats = workers.rows[row], workers.seats[row]
    sequences = int(worker["running"] + worker["waiting"])
    pace = worker["decode_base"] + worker["decode_per_sequence"] * sequences
    pace = (pace + worker["decode_per_token"] * worker["context_tokens"]) * (1 + worker["error"])
    return [
        float((seat["itl_seconds"] - pace) * seat["gaps"])
        - float(worker["stalled_seconds"] - seat["stalled_before"])
        for seat in seats[:sequences]
    ]


def test_requests_are_packed_and_a_full_worker_opens_the_next() -> None:
    workers = some_workers(4)
    used = []
    for name in range(40):
        request = a_request(name, arrival=float(name))
        placed = BestFit().place(request, workers, float(name))
        assert placed.row is not None
        workers.book(placed.row, request, float(name))
        used.append(placed.row)
    assert used == sorted(used)
    assert set(used) == {0}, "1,216 tokens each: 78 fit into 95,000"
    for name in range(40, 100):
        request = a_request(name, arrival=float(name))
        placed = BestFit().place(request, workers, float(name))
        assert placed.row is not None
        workers.book(placed.row, request, float(name))
    assert workers.rows["waiting"][:2].tolist() == [78, 22]


def test_reasons_name_the_row_that_stands_in_the_way() -> None:
    def reason(request: Request, workers: Workers) -> Reason:
        placed = BestFit().place(request, workers, 0.0)
        assert placed.row is None
        assert placed.expected_ttft_seconds is None
        return placed.reason

    assert reason(a_request(), some_workers(0)) is Reason.NO_REPLICA
    assert reason(a_request(input_tokens=96_000), some_workers()) is Reason.TOO_LONG
    slow = a_promise(ttft_seconds=0.1)
    assert reason(a_request(promise=slow), some_workers()) is Reason.TTFT
    fast = a_promise(itl_seconds=0.01)
    assert reason(a_request(promise=fast), some_workers()) is Reason.ITL
    full = some_workers(1)
    full.book(0, a_request("big", input_tokens=90_000), -60.0)
    long = a_request(input_tokens=5_000)
    assert reason(long, full) is Reason.MEMORY
    one = some_workers(1, a_law(max_batch=1))
    one.book(0, a_request("only"), -60.0)
    assert reason(a_request(), one) is Reason.BATCH
    busy = some_workers(1)
    # 9 gaps of 0.1 s at iterations of 20 ms leave 0.72 s; a prefill of 8,000 tokens takes 0.82 s.
    busy.book(0, a_request("short", output=10), -60.0)
    assert reason(a_request(input_tokens=8_000), busy) is Reason.STALL
    stale = some_workers()
    stale.forget_reports_before(1.0)
    assert reason(a_request(), stale) is Reason.STALE


def test_who_waited_for_the_whole_promise_is_placed_all_the_same() -> None:
    workers = some_workers(1)
    slow = a_request(promise=a_promise(ttft_seconds=0.1))
    assert BestFit().place(slow, workers, 0.0).reason is Reason.TTFT
    late = BestFit().place(slow, workers, 0.2)
    assert late.row == 0
    assert late.expected_ttft_seconds == pytest.approx(0.2 + 0.12)


def test_the_error_of_the_law_and_the_margin_widen_every_row() -> None:
    request = a_request(promise=a_promise(ttft_seconds=0.13))
    assert BestFit().place(request, some_workers(1), 0.0).row == 0
    assert BestFit(Margins(time=0.1)).place(request, some_workers(1), 0.0).reason is Reason.TTFT
    doubtful = some_workers(1, a_law(error=0.1))
    assert BestFit().place(request, doubtful, 0.0).reason is Reason.TTFT


def test_work_of_others_counts() -> None:
    workers = some_workers(1)
    workers.report("a0", 0.0, running=20, waiting=0, kv_tokens=94_500)
    assert BestFit().place(a_request(), workers, 0.0).reason is Reason.MEMORY


def test_memory_alone_heeds_no_promise() -> None:
    request = a_request(promise=a_promise(ttft_seconds=0.01, itl_seconds=0.001))
    placed = KvBestFit().place(request, some_workers(), 0.0)
    assert placed.row == 0
    assert placed.expected_ttft_seconds == pytest.approx(0.12)


@pytest.mark.parametrize("placer", [BestFit(), KvBestFit()])
def test_a_request_of_another_model_or_without_prediction_is_refused(
    placer: BestFit | KvBestFit,
) -> None:
    with pytest.raises(UnknownModel):
        placer.place(a_request(model=ModelName("other")), some_workers(), 0.0)
    with pytest.raises(InvalidInput, match="predicted"):
        placer.place(a_request(output=None), some_workers(), 0.0)


@pytest.mark.parametrize("wrong", [{"memory_share": 0.0}, {"memory_share": 1.1}, {"time": -0.1}])
def test_margins_are_shares(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="margins"):
        Margins(**wrong)


def test_spreading_takes_the_emptiest_that_fits() -> None:
    workers = some_workers(3)
    workers.book(0, a_request("one"), -60.0)
    workers.book(2, a_request("two"), -60.0)
    workers.book(2, a_request("three"), -60.0)
    assert BestFit().place(a_request(), workers, 0.0).row == 2
    assert BestFit(Margins(spread_beyond=2.0)).place(a_request(), workers, 0.0).row == 1
    # Its gap of 0.1 s is 4.98 iterations of an idle worker.
    assert BestFit(Margins(spread_beyond=5.0)).place(a_request(), workers, 0.0).row == 2
    with pytest.raises(InvalidInput, match="margins"):
        Margins(spread_beyond=math.nan)


def test_less_foresight_leaves_less_slack() -> None:
    workers = some_workers(1)
    workers.book(0, a_request("runs", output=20), -60.0)
    # 19 gaps of 0.1 s at iterations of 20 ms leave 1.5 s, half of them 0.75 s; a prefill takes 0.82 s.
    long = a_request(input_tokens=8_000)
    assert BestFit().place(long, workers, 0.0).row == 0
    assert BestFit(Margins(foresight=0.5)).place(long, workers, 0.0).reason is Reason.STALL
