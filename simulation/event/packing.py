"""Counts per latency bucket as the bytes of sketches, all rows at once.

The format is that of `heliostat.model.latency.LatencySketch.to_bytes`; a minute of a large fleet has
hundreds of rows, and a simulated day half a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heliostat.model.latency import FORMAT_BYTE

_SEVEN = 7
_MOST = 0x7F
_MORE = 0x80


def packed(rows: NDArray[np.integer], lowest: int) -> Sequence[bytes | None]:
    """The sketch of each row, shape (rows, buckets from `lowest` on); None of rows without a count."""
    row, column = np.divmod(np.flatnonzero(rows.ravel() != 0), rows.shape[1])
    edges = np.searchsorted(row, np.arange(len(rows) + 1))
    filled = np.flatnonzero(np.diff(edges))
    bucket = column.astype(np.int64) + lowest
    step = 2 * np.diff(bucket, prepend=0)
    first = bucket[edges[filled]]
    step[edges[filled]] = np.where(first >= 0, 2 * first, -2 * first - 1)
    numbers = np.stack([step, rows[row, column]], axis=1).ravel()
    numbers = np.insert(numbers, 2 * edges[filled], FORMAT_BYTE)
    begins = 2 * edges[filled] + np.arange(len(filled))
    written, ends = _varints(numbers)
    cuts = np.append(np.append(0, ends)[begins], len(written)).tolist()
    found: list[bytes | None] = [None] * len(rows)
    for place, (begin, end) in zip(filled.tolist(), pairwise(cuts), strict=True):
        found[place] = written[begin:end]
    return found


def _varints(numbers: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """All numbers, none below zero, one after the other, and where each ends."""
    sizes = np.ones(len(numbers), np.int64)
    longer = np.flatnonzero(numbers > _MOST)
    left = numbers[longer] >> _SEVEN
    while len(longer):
        sizes[longer] += 1
        more = left > _MOST
        longer, left = longer[more], left[more] >> _SEVEN
    ends = np.cumsum(sizes)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    at, left, size = ends - sizes, numbers, sizes
    while len(left):
        more = size > 1
        out[at] = left & _MOST | more * _MORE
        at, left, size = at[more] + 1, left[more] >> _SEVEN, size[more] - 1
    return out.tobytes(), ends
