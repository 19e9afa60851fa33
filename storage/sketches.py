"""Merges many latency sketches at once, straight from their bytes, whole columns at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from heliostat.errors import DataLoss
from heliostat.model.latency import FORMAT_BYTE, LatencySketch
from storage.fold import Ints

_OFFSET = 4096
"""Added to bucket numbers (within ±700) so that group and bucket share one non-negative integer."""
_WIDTH = 2 * _OFFSET


class SketchSums:
    """The merged sketch of each group, fed column by column; groups are numbers from 0 up."""

    def __init__(self) -> None:
        self._places: Ints = np.empty(0, np.int64)
        self._counts: Ints = np.empty(0, np.int64)
        self._seen: set[int] = set()

    def add(self, groups: Sequence[int], sketches: Sequence[bytes | None]) -> None:
        """Merge each sketch into its group; None is absent and changes nothing.

        Raises DataLoss when the bytes are no sketches.
        """
        present = [(g, data) for g, data in zip(groups, sketches, strict=True) if data is not None]
        if not present:
            return
        numbers = np.array([group for group, _ in present], np.int64)
        self._seen.update(numbers.tolist())
        owners, buckets, counts = _decoded([data for _, data in present])
        places = numbers[owners] * _WIDTH + buckets + _OFFSET
        self._merge(places, counts)

    def results(self) -> Iterator[tuple[int, LatencySketch]]:
        """Every group that got a sketch, ascending, with all of them together."""
        groups = self._places // _WIDTH
        buckets = (self._places % _WIDTH - _OFFSET).tolist()
        counts = self._counts.tolist()
        for group in sorted(self._seen):
            low, high = np.searchsorted(groups, [group, group + 1]).tolist()
            yield (
                group,
                LatencySketch(dict(zip(buckets[low:high], counts[low:high], strict=True))),
            )

    def _merge(self, places: Ints, counts: Ints) -> None:
        places = np.concatenate([self._places, places])
        counts = np.concatenate([self._counts, counts])
        order = np.argsort(places, kind="stable")
        self._places, firsts = np.unique(places[order], return_index=True)
        self._counts = np.add.reduceat(counts[order], firsts) if len(firsts) else counts


def _decoded(sketches: Sequence[bytes]) -> tuple[Ints, Ints, Ints]:
    """For every bucket of every sketch: which sketch, which bucket, how many."""
    lengths = np.array([len(data) for data in sketches], np.int64)
    data = np.frombuffer(b"".join(sketches), np.uint8)
    heads = np.cumsum(lengths) - lengths
    if not lengths.all() or (data[heads] != FORMAT_BYTE).any():
        raise DataLoss("a stored latency sketch has an unknown format")
    body = np.delete(data, heads).astype(np.int64)
    owner_of_byte = np.repeat(np.arange(len(sketches)), lengths - 1)
    ends = np.flatnonzero(body < 0x80)
    if len(ends) % 2 or (len(body) and body[-1] >= 0x80):
        raise DataLoss("a stored latency sketch ends in the middle of a bucket")
    if not len(ends):
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    starts = np.append(0, ends[:-1] + 1)
    shifts = (np.arange(len(body)) - np.repeat(starts, ends - starts + 1)) * 7
    numbers = np.add.reduceat((body & 0x7F) << shifts, starts)
    owners = owner_of_byte[starts[::2]]
    zigzag, counts = numbers[::2], numbers[1::2]
    return owners, _running((zigzag >> 1) ^ -(zigzag & 1), owners), counts


def _running(steps: Ints, owners: Ints) -> Ints:
    """Sums of the steps so far, beginning anew with every owner."""
    total = np.cumsum(steps)
    firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    before = total[firsts] - steps[firsts]
    return total - np.repeat(before, np.diff(np.append(firsts, len(steps))))
