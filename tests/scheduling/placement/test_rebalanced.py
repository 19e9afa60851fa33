"""New requests go where outputs were over-predicted, as long as every promise holds there."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.placement.best_fit import BestFit
from scheduling.placement.placer import Reason
from scheduling.placement.rebalanced import Rebalanced
from scheduling.workers import Workers
from tests.scheduling.builders import MODEL, a_law, a_request

PLACER = Rebalanced(BestFit())


def workers_with(*errors: int) -> Workers:
    """Workers whose requests ran so many tokens past their predictions; the first is the fullest."""
    workers = Workers(MODEL)
    for number, _ in enumerate(errors):
        workers.appear(f"a{number}", a_law(), 0.0)
    workers.book(0, a_request("first"), 0.0)
    workers.rows["length_error_tokens"][: len(errors)] = errors
    return workers


def place(workers: Workers, output: float = 200) -> tuple[int | None, int | None]:
    found = PLACER.place(a_request("new", output=output), workers, 0.0)
    return found.row, found.instead_of


def test_without_errors_the_first_choice_stands() -> None:
    assert place(workers_with(0, 0, 0)) == (0, None)
    assert place(workers_with(-500, 0, 0)) == (0, None)
    assert place(workers_with(500, 0, 0)) == (0, None)


def test_the_most_over_predicted_worker_takes_it_instead() -> None:
    assert place(workers_with(300, -100, -400, -200)) == (2, 0)


def test_a_difference_of_less_than_the_request_moves_nothing() -> None:
    assert place(workers_with(100, -90), output=200) == (0, None)
    assert place(workers_with(120, -90), output=200) == (1, 0)


def test_where_a_row_breaks_the_next_one_takes_it() -> None:
    workers = workers_with(300, -400, -200)
    workers.drain("a1")
    assert place(workers) == (2, 0)
    workers.drain("a2")
    assert place(workers) == (0, None)


def test_no_place_stays_no_place() -> None:
    workers = workers_with(300, -400)
    workers.drain("a0")
    workers.drain("a1")
    assert PLACER.place(a_request("new"), workers, 0.0).reason is Reason.NO_REPLICA


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-2000, 2000), min_size=1, max_size=8), st.integers(1, 500))
def test_errors_come_nearer_with_every_shift(errors: list[int], output: int) -> None:
    workers = workers_with(*errors)
    row, instead_of = place(workers, output)
    assert row is not None
    if instead_of is not None:
        before = errors[instead_of] - errors[row]
        workers.shift_error(instead_of, row, output)
        left = workers.rows["length_error_tokens"]
        assert abs(left[instead_of] - left[row]) < before
        assert left[: len(errors)].sum() == sum(errors)
