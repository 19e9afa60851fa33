"""Whole columns of latency sketches, checked at once: decoding each would cost more than storing it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.latency import BUCKET_RANGE, FORMAT_BYTE

MAX_SKETCH_BYTES = 16_384
"""More than all buckets with the largest counts need."""
_SHORTEST_PLAIN = 4
"""Format, lowest bucket (one or two bytes), count."""
_LONGEST_VARINT = 8
"""56 bits: a count of 7·10¹⁶ in one minute is enough."""


def sketch_column(path: str, column: Sequence[bytes], rows: int) -> list[bytes | None]:
    """The column with None for "not measured"; every sketch is one that can be read.

    An absent column was measured in no row. Raises InvalidInput naming the row.
    """
    if not column and rows:
        return [None] * rows
    sketches = [sketch or None for sketch in column]
    check_sketches(path, sketches)
    return sketches


def check_sketches(path: str, sketches: Sequence[bytes | None]) -> None:
    """Every sketch is in the format of `LatencySketch.to_bytes`. Raises InvalidInput."""
    rows = [row for row, sketch in enumerate(sketches) if sketch is not None]
    present = [sketch for sketch in sketches if sketch is not None]
    if not present:
        return
    lengths = np.fromiter(map(len, present), np.int64, len(present))
    data = np.frombuffer(b"".join(present), np.uint8)
    starts = np.cumsum(lengths) - lengths
    plain = _plain(data, starts, lengths)
    if not plain.all():
        rest = np.flatnonzero(~plain)
        _check(path, [rows[at] for at in rest], [present[at] for at in rest])


def _plain(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which sketches are surely right: every number but the first fits into one byte.

    That is nearly all of them (counts below 128, gaps below a factor of ten), and telling takes a
    few passes over bytes, about a tenth of what reading the numbers takes.
    """
    sized = lengths >= _SHORTEST_PLAIN
    first = data[np.where(sized, starts + 1, 0)].astype(np.int64)
    second = data[np.where(sized, starts + 2, 0)].astype(np.int64)
    wide = first >= 0x80
    zigzag = np.where(wide, first & 0x7F | second << 7, first)
    lowest = (zigzag >> 1) ^ -(zigzag & 1)
    # From `body` on counts and steps take turns. What stands before it is made to look like a count.
    body = starts + 2 + wide
    is_step = np.repeat((body & 1).astype(np.uint8), lengths)
    is_step ^= np.arange(len(data), dtype=np.uint8) & 1
    rest = data.copy()
    for head in (starts[sized], starts[sized] + 1, starts[sized & wide] + 2):
        rest[head], is_step[head] = 1, 0
    # A step is even (buckets ascend), neither is 0, and none goes on into the next byte.
    wrong = (rest & is_step) | (rest >> 7) | (rest == 0)
    steps = np.add.reduceat(rest * is_step, starts, dtype=np.int64) // 2
    return np.asarray(
        sized
        & (data[starts] == FORMAT_BYTE)
        & ~(wide & (second >= 0x80))
        & ((starts + lengths - body) % 2 == 1)
        & (np.bitwise_or.reduceat(wrong & 1, starts) == 0)
        & (lowest >= BUCKET_RANGE.start)
        & (lowest + steps < BUCKET_RANGE.stop),
        dtype=np.bool_,
    )


def _check(path: str, rows: Sequence[int], present: Sequence[bytes]) -> None:
    """Read every number of these sketches."""
    lengths = np.fromiter(map(len, present), np.int64, len(present))
    data = np.frombuffer(b"".join(present), np.uint8)
    starts = np.cumsum(lengths) - lengths
    _refuse(path, rows, lengths > MAX_SKETCH_BYTES, f"is longer than {MAX_SKETCH_BYTES} bytes")
    _refuse(path, rows, data[starts] != FORMAT_BYTE, "is not in format 01")
    _refuse(path, rows, data[starts + lengths - 1] >= 0x80, "ends in the middle of a number")
    _check_buckets(path, rows, data, starts)


def _check_buckets(
    path: str, rows: Sequence[int], data: NDArray[np.uint8], starts: NDArray[np.int64]
) -> None:
    """Pairs of (zig-zag step, count): every bucket possible, none twice, every count at least 1."""
    last = data < 0x80
    last[starts] = True  # the format byte stands for itself
    ends = np.flatnonzero(last)
    begins = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - begins + 1
    owner = np.searchsorted(starts, begins, side="right") - 1
    _refuse_at(path, rows, owner, lengths > _LONGEST_VARINT, "contains a number above 56 bits")
    position = np.arange(len(data)) - np.repeat(begins, lengths)
    septets = (data & 0x7F).astype(np.int64) << (7 * position)
    numbers = np.add.reduceat(septets, begins)
    first = np.searchsorted(begins, starts)
    number_of = np.arange(len(numbers)) - first[owner]
    held = np.diff(np.append(first, len(numbers)))
    _refuse(path, rows, held % 2 == 0, "ends in the middle of a bucket")
    steps_at = number_of % 2 == 1
    counts_at = (number_of % 2 == 0) & (number_of > 0)
    _refuse_at(path, rows, owner[counts_at], numbers[counts_at] < 1, "contains an empty bucket")
    _check_steps(path, rows, numbers[steps_at], number_of[steps_at], owner[steps_at])


def _check_steps(
    path: str,
    rows: Sequence[int],
    zigzag: NDArray[np.int64],
    number_of: NDArray[np.int64],
    owner: NDArray[np.int64],
) -> None:
    if not len(zigzag):
        return
    widest = 4 * (BUCKET_RANGE.stop - BUCKET_RANGE.start)
    _refuse_at(path, rows, owner, zigzag > widest, "contains an impossible bucket")
    steps = (zigzag >> 1) ^ -(zigzag & 1)
    starting = number_of == 1
    _refuse_at(path, rows, owner, ~starting & (steps <= 0), "has its buckets out of order")
    sums = np.cumsum(steps)
    base = np.where(starting, sums - steps, 0)
    buckets = sums - base[np.maximum.accumulate(np.where(starting, np.arange(len(steps)), 0))]
    outside = (buckets < BUCKET_RANGE.start) | (buckets >= BUCKET_RANGE.stop)
    _refuse_at(path, rows, owner, outside, "contains an impossible bucket")


def _refuse(path: str, rows: Sequence[int], bad: NDArray[np.bool_], complaint: str) -> None:
    if bad.any():
        raise InvalidInput(f"{path}[{rows[int(np.argmax(bad))]}]", complaint)


def _refuse_at(
    path: str,
    rows: Sequence[int],
    owner: NDArray[np.int64],
    bad: NDArray[np.bool_],
    complaint: str,
) -> None:
    if bad.any():
        raise InvalidInput(f"{path}[{rows[int(owner[int(np.argmax(bad))])]}]", complaint)
