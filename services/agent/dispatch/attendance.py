"""Which gateways are there, or were so lately: a waiting request is placed only through its own gateway."""

from __future__ import annotations

from threading import Lock

GRACE_SECONDS = 900.0
"""A gateway that was there so lately is restarting, and one may still come back to an agent that started."""


class Attendance:
    """Written by the event loop, read in any thread; instants are seconds since 1970."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._open: dict[str, int] = {}
        self._left_at: dict[str, float] = {}
        self._turn = Lock()

    def came(self, gateway_id: str) -> None:
        """It opened a stream."""
        with self._turn:
            self._open[gateway_id] = self._open.get(gateway_id, 0) + 1
            self._left_at.pop(gateway_id, None)

    def left(self, gateway_id: str, now: float) -> None:
        """One of its streams ended."""
        with self._turn:
            self._open[gateway_id] -= 1
            if not self._open[gateway_id]:
                del self._open[gateway_id]
                self._left_at[gateway_id] = now
            self._left_at = {
                name: at for name, at in self._left_at.items() if now - at <= GRACE_SECONDS
            }

    def lately(self, now: float) -> frozenset[str] | None:
        """Gateways that are there or were within the grace; None = any may be, since the agent started so
        lately."""
        if now - self._started_at <= GRACE_SECONDS:
            return None
        with self._turn:
            gone = (name for name, at in self._left_at.items() if now - at <= GRACE_SECONDS)
            return frozenset((*self._open, *gone))
