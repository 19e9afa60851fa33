"""Two lanes of ticks: forecasting and deciding run beside each other, one tick at a time in each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from heliostat.clock import monotonic_seconds


class Lane(StrEnum):
    """Which ticks wait for each other: selection takes minutes, and must not keep routes from being made."""

    FORECASTING = "forecasting"
    DECIDING = "deciding"


class Lanes:
    """Who is in which lane."""

    def __init__(self) -> None:
        self._locks = {lane: threading.Lock() for lane in Lane}

    @contextmanager
    def entered(self, lane: Lane, at_most_seconds: float | None = None) -> Iterator[bool]:
        """Wait for the lane (None = as long as it takes) and hold it; False when it did not become free."""
        timeout = -1.0 if at_most_seconds is None else at_most_seconds
        held = self._locks[lane].acquire(timeout=timeout)
        try:
            yield held
        finally:
            if held:
                self._locks[lane].release()

    def ended(self, at_most_seconds: float) -> bool:
        """Wait so long for the running ticks; False when one still runs then."""
        until = monotonic_seconds() + at_most_seconds
        for lane in Lane:
            with self.entered(lane, max(0.0, until - monotonic_seconds())) as free:
                if not free:
                    return False
        return True
