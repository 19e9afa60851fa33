"""The batch size of one replica, period by period, from what was measured of it.

The event engine calls the same rules (`scheduling.rules.batch`) from its compiled code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from heliostat.errors import InvalidInput
from scheduling.batch_size.settings import BatchSize, ChironBatchSize
from scheduling.rules.batch import backpressure, resized


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One period of a replica: the gap between tokens (the settings' quantile), what the strictest tier
    that runs was promised, tokens generated a second, and how many sequences ran at the end."""

    gap_seconds: float
    promised_gap_seconds: float
    tokens_per_second: float
    running: int

    def __post_init__(self) -> None:
        numbers = (self.gap_seconds, self.promised_gap_seconds, self.tokens_per_second)
        if not all(math.isfinite(one) and one >= 0 for one in numbers) or self.running < 0:
            raise InvalidInput("measured", f"{numbers}, {self.running} running: impossible")
        if self.promised_gap_seconds == 0:
            raise InvalidInput("measured.promised_gap_seconds", "is zero")


class BatchSizer(Protocol):
    """Decides how many sequences may run on one replica."""

    @property
    def size(self) -> int:
        """The number in force, at least 1 and at most what the law allows."""
        ...

    def adapt(self, measured: Measured | None) -> int:
        """The number from now on, after a period; None = no token was generated in it."""
        ...


class StaticSize:
    """Implements `BatchSizer`: always the same."""

    def __init__(self, most: int) -> None:
        self._size = most

    @property
    def size(self) -> int:
        return self._size

    def adapt(self, measured: Measured | None) -> int:
        return self._size


class ChironSize:
    """Implements `BatchSizer`: Chiron's local autoscaler, as `ChironBatchSize` reads it."""

    def __init__(self, settings: ChironBatchSize, most: int) -> None:
        """`most`: the law's largest batch."""
        self._settings = settings
        self._most = float(most)
        self._exact = min(self._most, float(settings.first))
        self._rate_before, self._grew = 0.0, False

    @property
    def size(self) -> int:
        return int(self._exact)

    def adapt(self, measured: Measured | None) -> int:
        if measured is None:
            return self.size
        settings = self._settings
        binds = measured.running >= settings.binding_share * self.size
        pressure = backpressure(
            measured.gap_seconds,
            measured.promised_gap_seconds,
            self._rate_before,
            measured.tokens_per_second,
            binds and self._grew,
        )
        self._grew = pressure < 1.0
        self._rate_before = measured.tokens_per_second
        self._exact = resized(
            self._exact, pressure, settings.smoothing, settings.largest_growth, self._most
        )
        return self.size


def sizer(size: BatchSize, most: int) -> BatchSizer:
    """Who decides by these settings on a replica whose law allows so many. Raises InvalidInput for fewer
    than one."""
    if most < 1:
        raise InvalidInput("batch_size.most", f"{most} is not at least 1")
    if isinstance(size, ChironBatchSize):
        return ChironSize(size, most)
    return StaticSize(most if size.most is None else min(most, size.most))
