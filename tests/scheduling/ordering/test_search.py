"""The compiled search: differences add up to what weighing everything says, and moves lose nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.ordering.search import ANNEAL, COUNT, EXPECTED, RATIO
from scheduling.ordering.weighing import weigh

Case = dict[str, Any]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Tables in sixteenths of a second, so that sums of differences are exact; any order to begin with."""
    n, cap = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    luck = np.random.default_rng(draw(st.integers(0, 2**32)))
    run = luck.integers(1, 200, (cap, n)) / 16
    latest = luck.integers(-50, 1000, (cap, n)) / 16
    latest[luck.random((cap, n)) < 0.1] = -np.inf
    return {
        "tables": (run, run + luck.integers(0, 20, (cap, n)) / 16, latest, np.full((cap, n), 0.25)),
        "order": luck.permutation(n),
        "fixed": luck.random(n) < draw(st.sampled_from([0.0, 0.3])),
        "goal": draw(st.sampled_from([RATIO, COUNT, EXPECTED])),
        "seed": np.uint64(draw(st.integers(0, 2**64 - 1))),
        "hot": draw(st.sampled_from([1e12, 1.0, 1e-6])),
        "moves": draw(st.integers(1, 60)),
    }


def _search(case: Case) -> tuple[Any, Any, float, float]:
    """Order, bounds, and the n and t that the search believes in."""
    cap, n = case["tables"][0].shape
    order, first = case["order"].copy(), np.full(n + 2, n)
    full = np.minimum(np.arange(-(-n // cap) + 1) * cap, n)
    first[: len(full)] = full
    cooling = (case["hot"], case["hot"], 0.5, case["moves"])
    batches, _, met, seconds = ANNEAL[case["goal"]](
        *case["tables"], case["fixed"], 0.0, order, first, len(full) - 1, case["goal"],
        0.5, case["seed"], *cooling,
    )  # fmt: skip
    return order, first[: batches + 1], met, seconds


@given(cases())
def test_differences_add_up_to_what_weighing_everything_says(case: Case) -> None:
    order, first, met, seconds = _search(case)
    soft = case["goal"] == EXPECTED
    assert (met, seconds) == pytest.approx(weigh(*case["tables"], soft, order, first), abs=1e-9)


@given(cases())
def test_everybody_stands_in_one_batch_and_no_batch_is_empty_or_above_the_cap(case: Case) -> None:
    order, first, _, _ = _search(case)
    cap, n = case["tables"][0].shape
    assert sorted(order) == list(range(n))
    assert (first[0], first[-1]) == (0, n)
    assert np.all((np.diff(first) >= 1) & (np.diff(first) <= cap))


@given(cases())
def test_who_is_fixed_leaves_nobody_behind_it_in_front(case: Case) -> None:
    """Fixed ones at the head stay in the batches that they filled."""
    n = len(case["order"])
    head = [i for i in case["order"] if case["fixed"][i]]
    case["order"] = np.array([*head, *(i for i in case["order"] if not case["fixed"][i])])
    order, first, _, _ = _search(case)
    cap = case["tables"][0].shape[0]
    batch = np.searchsorted(first, np.arange(n), side="right") - 1
    place = {i: batch[p] for p, i in enumerate(order)}
    assert [place[i] for i in head] == [number // cap for number in range(len(head))]


@given(cases())
def test_the_same_seed_searches_the_same_way(case: Case) -> None:
    one, other = _search(case), _search(case)
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


@given(cases())
def test_the_best_order_seen_is_never_worse_than_the_first(case: Case) -> None:
    cap, n = case["tables"][0].shape
    full = np.minimum(np.arange(-(-n // cap) + 1) * cap, n)
    soft = case["goal"] == EXPECTED
    was, before = weigh(*case["tables"], soft, case["order"], full)
    _, _, met, seconds = _search(case)
    if case["goal"] == RATIO:
        assert met / seconds >= was / before - 1e-12
    else:
        assert met - 0.5 * seconds / before >= was - 0.5 - 1e-9
