"""Rows of ρ are the same bits alone, in company, and as part of longer ones; few of them are remembered."""

from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from planning.usable_rows import UsableRows

FAST, NORMAL, BATCH = (37.123, 0.51234, 0.99), (54.2, 3.22, 0.99), (60.1, 500.0, 0.95)
rows = st.tuples(st.floats(1, 300), st.floats(0, 1000), st.sampled_from([0.9, 0.95, 0.99]))


@given(st.lists(rows, min_size=1, max_size=9))
def test_a_row_is_the_same_in_any_company(several: list[tuple[float, float, float]]) -> None:
    together = UsableRows().of(several, 40)
    for row, table in zip(several, together, strict=True):
        assert_array_equal(UsableRows().of([row], 40)[0], table)


def test_a_longer_row_begins_with_the_shorter_one() -> None:
    kept = UsableRows()
    (short,), (long,) = kept.of([FAST], 40), kept.of([FAST], 1000)
    assert len(short) > 40
    assert len(long) > 1000
    assert_array_equal(long[: len(short)], short)


def test_rows_are_made_once_and_the_least_recently_used_dropped() -> None:
    kept = UsableRows(most=2)
    fast, normal = kept.of([FAST, NORMAL], 40)
    assert kept.of([FAST], 40)[0] is fast
    batch, again = kept.of([BATCH, FAST], 40)
    assert again is fast
    assert kept.of([BATCH], 40)[0] is batch
    assert kept.of([NORMAL], 40)[0] is not normal


def test_more_rows_than_are_kept_are_all_answered() -> None:
    assert len(UsableRows(most=1).of([FAST, NORMAL, BATCH, FAST], 40)) == 4
