"""Errors of predictions are spread: new load goes from who has more to do to who has less."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.placement.rebalancing import Move, apply, rebalance
from scheduling.workers import Workers
from tests.scheduling.builders import a_promise, a_request, some_workers

PATIENT = a_promise(ttft_seconds=60.0)


def uneven(waiting: int = 2) -> Workers:
    """a0 runs one that turned out 500 tokens longer and has some who wait; a2 one that ended early."""
    workers = some_workers(3)
    workers.book(0, a_request("long", output=300), 0.0)
    workers.begin("long", 0.5)
    workers.progress("long", 300, 800.0)
    for number in range(waiting):
        workers.book(0, a_request(f"new{number}", promise=PATIENT), 1.0 + number)
    workers.book(2, a_request("short", output=400), 0.0)
    workers.complete("short", 1.0, 50)
    return workers


def test_the_latest_goes_from_the_longest_error_to_the_shortest() -> None:
    workers = uneven()
    moves = rebalance(workers, 3.0)
    assert moves == (Move(request_id="new1", from_row=0, to_row=2),)
    assert apply(workers, moves, 3.0) == ("new1",)
    booking = workers.booking("new1")
    assert booking is not None
    assert booking.replica == "a2"
    assert not workers.rows["length_error_tokens"].any()
    assert rebalance(workers, 3.0) == ()


def test_what_runs_is_never_moved() -> None:
    workers = uneven()
    for name in ("new0", "new1"):
        workers.begin(name, 2.5)
    assert rebalance(workers, 3.0) == ()


def test_a_request_that_began_after_the_look_stays() -> None:
    workers = uneven()
    moves = rebalance(workers, 3.0)
    workers.begin("new1", 3.1)
    assert apply(workers, moves, 3.2) == ()
    booking = workers.booking("new1")
    assert booking is not None
    assert booking.replica == "a0"


def test_nobody_is_moved_to_where_a_row_breaks() -> None:
    workers = uneven()
    workers.report("a2", 2.0, running=3, waiting=0, kv_tokens=94_500)
    assert rebalance(workers, 3.0) == ()
    drained = uneven()
    drained.drain("a2")
    assert rebalance(drained, 3.0) == ()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 800), st.sampled_from(["begin", "end", ""])),
        max_size=30,
    )
)
def test_errors_come_nearer_and_nobody_is_lost(life: list[tuple[int, int, str]]) -> None:
    workers = some_workers(4)
    for number, (row, length, then) in enumerate(life):
        name = str(number)
        workers.book(row, a_request(name, promise=PATIENT), 0.0)
        if then:
            workers.begin(name, 1.0)
        if then == "begin":
            workers.progress(name, 1, float(length))
        elif then == "end":
            workers.complete(name, 1.0, length)
    before, booked = workers.rows["length_error_tokens"][:4].copy(), len(workers)
    moves = rebalance(workers, 2.0)
    after = before.copy()
    for move in moves:
        assert before[move.from_row] > 0 > before[move.to_row]
        after[move.from_row] -= 200
        after[move.to_row] += 200
    assert after.max() <= before.max()
    assert after.min() >= before.min()
    assert len({move.to_row for move in moves}) == len(moves)
    assert len(apply(workers, moves, 2.0)) == len(moves)
    assert len(workers) == booked
