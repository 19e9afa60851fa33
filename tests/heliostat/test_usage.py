"""A usage batch that breaks a rule is refused as a whole, and the message names the column."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.usage import UsageQuery
from tests.builders import MINUTE, NOON, a_batch, a_series, a_window


def test_windows_of_one_series_share_one_dictionary_entry() -> None:
    batch = a_batch([a_window(), a_window(NOON + MINUTE), a_window(series=a_series("west"))])
    assert batch.series == (a_series("east"), a_series("west"))
    assert list(batch.series_index) == [0, 0, 1]
    assert len(batch) == 3


def test_unmeasured_tokens_stay_none() -> None:
    batch = a_batch([a_window(output_tokens=None)])
    assert list(batch.output_tokens) == [None]
    assert list(batch.ttft) == [None]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"offered": -1}, "offered"),
        ({"offered": 10**10}, "offered"),
        ({"admitted": 11}, "counts"),
        ({"rejected": 1}, "counts"),
        ({"admitted": 5, "completed": 6}, "counts"),
        ({"retried": 11}, "counts"),
        ({"input_tokens": -5}, "input_tokens"),
        ({"output_tokens": 10**14}, "output_tokens"),
        ({"revision": 0}, "revision"),
        ({"start": NOON + timedelta(seconds=30)}, "window_start"),
    ],
)
def test_an_impossible_window_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        a_batch([a_window(), a_window(**{"start": NOON + MINUTE, **change})])
    assert refusal.value.field == named


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="offered: has 2 values"):
        replace(a_batch([a_window()]), offered=[1, 2])


def test_an_index_beyond_the_dictionary_is_refused() -> None:
    with pytest.raises(InvalidInput, match="series_index"):
        replace(a_batch([a_window()]), series_index=[1])


@pytest.mark.parametrize("change", [{"source_id": ""}, {"incarnation": 0}, {"sequence": 0}])
def test_a_batch_without_a_proper_source_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(a_batch([a_window()]), **change)


def test_a_bucket_is_made_of_whole_windows() -> None:
    with pytest.raises(InvalidInput, match="bucket"):
        UsageQuery(span=Span(NOON, NOON + MINUTE), bucket=timedelta(seconds=90))
