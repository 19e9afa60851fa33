"""A latency distribution small enough to travel with every usage window, and mergeable.

Log-spaced buckets of relative accuracy 2 % (the DDSketch construction, Masson et al., VLDB 2019):
bucket `i` holds values in `(γ^(i-1), γ^i]` seconds with γ = 1.02/0.98. Merging adds counts, so any
order of merging gives the same sketch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import sub
from typing import Self

from heliostat.errors import InvalidInput

RELATIVE_ACCURACY = 0.02
_GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
LOG_GAMMA = math.log(_GAMMA)
"""The logarithm of a bucket's upper end ÷ its lower one."""
FLOOR_SECONDS = 1e-5
"""What is shorter falls into the lowest bucket."""
_CEILING_SECONDS = 1e6
_LOWEST = math.ceil(math.log(FLOOR_SECONDS) / LOG_GAMMA)
_HIGHEST = math.ceil(math.log(_CEILING_SECONDS) / LOG_GAMMA)
FORMAT_BYTE = 1
_DOUBLED = bytes(min(2 * number, 0xFF) for number in range(256))
"""Doubles byte by byte; what would take more than seven bits has the eighth."""
BUCKET_RANGE = range(_LOWEST, _HIGHEST + 1)
"""Every bucket that a sketch may hold."""


def bucket_of(seconds: float) -> int:
    """The bucket that holds a latency; values outside 10 µs … 11 days fall into the end buckets."""
    if not seconds >= 0:
        raise InvalidInput("latency", f"{seconds!r} seconds is not a latency")
    if seconds <= FLOOR_SECONDS:
        return _LOWEST
    return min(_HIGHEST, math.ceil(math.log(seconds) / LOG_GAMMA))


def bucket_seconds(bucket: int) -> float:
    """The value that stands for a bucket, within 2 % of everything in it."""
    return 2 * _GAMMA**bucket / (_GAMMA + 1)


class LatencySketch:
    """Counts per log bucket; immutable, equal when the counts are."""

    __slots__ = ("_bytes", "_counts")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts: Mapping[int, int] | None = {} if counts is None else counts
        self._bytes: bytes | None = None

    @classmethod
    def packed(cls, data: bytes) -> Self:
        """A sketch from trusted bytes, decoded only when `counts` is read."""
        sketch = cls()
        sketch._bytes, sketch._counts = data, None
        return sketch

    @property
    def counts(self) -> Mapping[int, int]:
        """Latencies per bucket, no bucket with none."""
        if self._counts is None:
            assert self._bytes is not None, "it was made of counts or of bytes"
            self._counts = LatencySketch.from_bytes(self._bytes).counts
        return self._counts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LatencySketch) and self.counts == other.counts

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return f"LatencySketch({self.counts!r})"

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """The sketch of these latencies in seconds."""
        counts: dict[int, int] = {}
        for value in seconds:
            bucket = bucket_of(value)
            counts[bucket] = counts.get(bucket, 0) + 1
        return cls(counts)

    @property
    def count(self) -> int:
        """How many latencies were recorded."""
        return sum(self.counts.values())

    def merge(self, other: LatencySketch) -> LatencySketch:
        """Both together; commutative and associative."""
        counts = dict(self.counts)
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        return LatencySketch(counts)

    def quantile(self, q: float) -> float | None:
        """The q-quantile in seconds (within 2 %), or None when nothing was recorded."""
        if not 0 <= q <= 1:
            raise InvalidInput("quantile", f"{q!r} is not within [0, 1]")
        rank = q * (self.count - 1)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen > rank:
                return bucket_seconds(bucket)
        return None

    def share_at_most(self, seconds: float) -> float | None:
        """The share of latencies at or below a bound (to bucket resolution); None when empty."""
        total = self.count
        if not total:
            return None
        edge = bucket_of(seconds)
        return sum(n for bucket, n in self.counts.items() if bucket <= edge) / total

    def to_bytes(self) -> bytes:
        """Format byte, then per bucket two varints: zig-zag step from the bucket before, and count."""
        if self._bytes is None:
            self._bytes = self._written()
        return self._bytes

    def _written(self) -> bytes:
        out = bytearray([FORMAT_BYTE])
        if not self.counts:
            return bytes(out)
        buckets = sorted(self.counts)
        first, others = buckets[0], buckets[1:]
        _put_varint(out, 2 * first if first >= 0 else -2 * first - 1)
        _put_varint(out, self.counts[first])
        # Further steps are above zero, and nearly all numbers take one byte: those go column by column,
        # since a gateway's minute has three sketches per series.
        steps = list(map(sub, others, buckets))
        counts = list(map(self.counts.__getitem__, others))
        pairs = _by_columns(steps, counts)
        if pairs is not None:
            return bytes(out + pairs)
        for step, count in zip(steps, counts, strict=True):
            _put_varint(out, 2 * step)
            _put_varint(out, count)
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The sketch behind `to_bytes`. Raises InvalidInput on anything else."""
        if not data or data[0] != FORMAT_BYTE:
            raise InvalidInput("sketch", f"format {data[:1].hex() or 'empty'} is not 01")
        numbers = _varints(data)
        if len(numbers) % 2:
            raise InvalidInput("sketch", "ends in the middle of a bucket")
        counts: dict[int, int] = {}
        bucket = 0
        for zigzag, count in zip(numbers[::2], numbers[1::2], strict=True):
            bucket += zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2
            if not _LOWEST <= bucket <= _HIGHEST or bucket in counts or count < 1:
                raise InvalidInput("sketch", f"bucket {bucket} with count {count} is impossible")
            counts[bucket] = count
        return cls(counts)


def bytes_of(sketch: LatencySketch | None) -> bytes | None:
    """The sketch's bytes; None = not measured."""
    return None if sketch is None else sketch.to_bytes()


def sketch_of(data: bytes | None) -> LatencySketch | None:
    """The sketch behind `bytes_of`; None = not measured. Raises InvalidInput on bytes of no sketch."""
    return None if data is None else LatencySketch.from_bytes(data)


def merged(sketches: Iterable[LatencySketch | None]) -> LatencySketch | None:
    """All present sketches together; None when there is none (absent is not empty)."""
    present = [sketch for sketch in sketches if sketch is not None]
    return reduce(LatencySketch.merge, present) if present else None


def _by_columns(steps: list[int], counts: list[int]) -> bytearray | None:
    """The varints of steps doubled and counts in turn; None where one takes more than a byte."""
    pairs = bytearray(2 * len(steps))
    try:
        pairs[::2] = bytes(steps).translate(_DOUBLED)
        pairs[1::2] = bytes(counts)
    except ValueError:  # beyond 255
        return None
    return pairs if pairs.isascii() else None


def _put_varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _varints(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in data[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
        elif shift > 63:
            raise InvalidInput("sketch", "contains a number of more than 64 bits")
    if shift:
        raise InvalidInput("sketch", "ends in the middle of a number")
    return numbers
