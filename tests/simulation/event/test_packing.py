"""Sketches that are written many at once are those that are written one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.latency import BUCKET_RANGE, LatencySketch
from simulation.event.packing import packed

_COUNTS = st.sampled_from([1, 2, 63, 64, 127, 128, 16_383, 16_384, 2**31 - 1])
_ROWS = st.lists(
    st.dictionaries(st.sampled_from(list(BUCKET_RANGE)), _COUNTS, max_size=6), max_size=8
)


@given(sketches=_ROWS)
def test_many_at_once_are_those_one_by_one(sketches: list[dict[int, int]]) -> None:
    rows = np.zeros((len(sketches), len(BUCKET_RANGE)), np.int32)
    for row, counts in zip(rows, sketches, strict=True):
        for bucket, count in counts.items():
            row[bucket - BUCKET_RANGE.start] = count
    expected = [LatencySketch(counts).to_bytes() if counts else None for counts in sketches]
    assert packed(rows, BUCKET_RANGE.start) == expected


def test_no_rows_are_no_sketches() -> None:
    assert packed(np.zeros((0, 5), np.int32), 0) == []
    assert packed(np.zeros((2, 5), np.int32), 0) == [None, None]
