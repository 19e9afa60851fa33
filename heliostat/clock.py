"""Real time: the only module that reads the wall clock or sleeps; everybody else is passed `now`."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """The wall clock in whole seconds, held still when it is set back."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The present as aware UTC in whole seconds; never earlier than an answer before."""
        read = datetime.now(UTC).replace(microsecond=0)
        with self._lock:
            self._latest = max(self._latest, read)
            return self._latest


class SteppedClock:
    """A clock that somebody moves: domain time in demo, simulator and tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The instant that it was last set to."""
        return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move to a later instant. Raises ValueError when it is earlier."""
        with self._lock:
            if instant < self._now:
                raise ValueError(f"a clock cannot go back from {self._now} to {instant}")
            self._now = instant


class SteadySeconds:
    """Seconds since 1970 with their fractions, that never jump: the wall clock is read once, what passes
    since is counted. For lengths that begin at an instant, such as leases; two processes may differ."""

    def __init__(self, start: datetime) -> None:
        self._start = start.timestamp() - time.monotonic()

    def __call__(self) -> float:
        """The present; never earlier than an answer before."""
        return self._start + time.monotonic()


def monotonic_seconds() -> float:
    """Seconds on a clock that only measures lengths (metrics, back-off, fuses)."""
    return time.monotonic()


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    return time.process_time()


def sleep_seconds(seconds: float) -> None:
    """Wait in real time."""
    time.sleep(seconds)
