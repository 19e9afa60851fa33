"""Real time: the only module that reads the wall clock or sleeps; other code receives `now`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

HELD_STILL = timedelta(minutes=1)
"""By so much a wall clock may be slewed; by more it was wrong, and somebody has set it right."""

SetBack = Callable[[datetime, datetime], None]
"""Hears what the clock said before it was set back, and what it says now."""


def _wall() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The wall clock in whole seconds: held still while it is slewed, gone along with when it is set back.

    To stand still for long would be worse than to go back: a process that had run an hour ahead would tell
    nothing but a future that everybody refuses. Who measures lengths over such a step measures nonsense, as
    over a restart; what is stored is judged by instants that may lie in the future.
    """

    def __init__(
        self, *, set_back: SetBack = lambda *_: None, read: Callable[[], datetime] = _wall
    ) -> None:
        self._set_back = set_back
        self._read = read
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The present as aware UTC in whole seconds; earlier than an answer before only after the wall clock
        was set back by more than HELD_STILL."""
        read = self._read().replace(microsecond=0)
        with self._lock:
            before = self._latest
            was_set_back = before - read > HELD_STILL
            self._latest = now = read if was_set_back else max(before, read)
        if was_set_back:
            self._set_back(before, now)
        return now


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
