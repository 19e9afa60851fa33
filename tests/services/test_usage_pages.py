"""A page of a usage query costs what it shows, and pages together are the whole answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import RLock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.instants import Span
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from services.control_plane.usage_pages import usage_page
from storage.memory.usage import MemoryUsage
from storage.notify import ChangeFeed
from tests.builders import MINUTE, NOON, a_batch, a_series, a_window

QUARTER = timedelta(minutes=15)
SERIES = [
    a_series(model=model, origin=origin)
    for model in ("alpha", "beta")
    for origin in ("east", "west")
]


class Counting(MemoryUsage):
    """Counts the minutes that queries look at."""

    def __init__(self, windows: list[tuple[int, UsageSeries]]) -> None:
        super().__init__(ChangeFeed(), RLock())
        self.minutes_read = 0
        self.looks = 0
        if windows:
            self.record([a_batch([a_window(NOON + n * MINUTE, series=s) for n, s in windows])])

    def query(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        self.looks += 1
        self.minutes_read += query.span.length // MINUTE
        return super().query(query)


def pages(history: Counting, query: UsageQuery, size: int) -> list[list[UsageBucket]]:
    found: list[list[UsageBucket]] = []
    more = True
    while more:
        last = found[-1][-1] if found else None
        seen = usage_page(
            history, query, after=None if last is None else (last.start, last.series), most=size + 1
        )
        found.append(seen[:size])
        more = len(seen) > size
    return found


def a_query(minutes: int, **changes: Any) -> UsageQuery:
    return UsageQuery(span=Span(NOON, NOON + minutes * MINUTE), **{"bucket": QUARTER, **changes})


@given(
    windows=st.sets(st.tuples(st.integers(0, 600), st.sampled_from(SERIES)), max_size=40),
    size=st.integers(1, 12),
    bucket=st.sampled_from([1, 7, 15, 60, 1000]),
    minutes=st.integers(0, 700),
)
def test_pages_together_are_the_whole_answer(
    windows: set[tuple[int, UsageSeries]], size: int, bucket: int, minutes: int
) -> None:
    history = Counting(sorted(windows))
    query = a_query(minutes, bucket=bucket * MINUTE)
    found = [one for page in pages(history, query, size) for one in page]
    assert found == list(history.query(query))


def test_a_page_looks_no_further_than_it_reaches() -> None:
    history = Counting([(minute, series) for minute in range(0, 3000, 15) for series in SERIES])
    query = a_query(3000)
    usage_page(history, query, after=None, most=41)
    assert history.minutes_read <= 3 * 40 / len(SERIES) * 15
    history.minutes_read = 0
    assert len(pages(history, query, 40)) == 20
    assert history.minutes_read <= 2 * 3000


def test_an_empty_stretch_takes_few_looks() -> None:
    history = Counting([(0, SERIES[0]), (100_000, SERIES[0])])
    query = a_query(100_001, bucket=MINUTE)
    (page,) = pages(history, query, 10)
    assert len(page) == 2
    assert history.looks <= 20


@pytest.mark.parametrize("years", [1, 50])
def test_a_span_from_long_before_the_first_window_takes_few_looks(years: int) -> None:
    history = Counting([(0, SERIES[0])])
    query = a_query(60, bucket=MINUTE)
    long = replace(query, span=Span(NOON - timedelta(days=365 * years), query.span.end))
    (page,) = pages(history, long, 10)
    assert [one.start for one in page] == [NOON]
    assert history.minutes_read <= 2 * 60


def test_an_empty_history_is_an_empty_page() -> None:
    assert usage_page(Counting([]), a_query(60), after=None, most=11) == []
