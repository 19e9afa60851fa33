"""What a ledger forgets window by window is still counted."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simulation.fluid.ledger import Past

WINDOWS = st.lists(st.dictionaries(st.integers(-300, 300), st.integers(1, 10**6), max_size=50))


@given(WINDOWS, WINDOWS)
def test_windows_are_summed_as_one_by_one(
    before: list[dict[int, int]], after: list[dict[int, int]]
) -> None:
    past, one_by_one = Past(), Counter[int]()
    for part in (before, after):
        for buckets in part:
            past.add(buckets)
            one_by_one.update(buckets)
        assert past.total() == one_by_one


def test_more_than_is_kept_apart_is_counted_too() -> None:
    past = Past()
    for _ in range(300):
        past.add(dict.fromkeys(range(100), 1))
    assert past.total() == dict.fromkeys(range(100), 300)
