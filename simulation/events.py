"""What happens next: a queue of events in which time, then priority, then order of arrival decide."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


class EventQueue(Generic[T]):
    """Events in time; of those at one instant the lowest priority number comes first, then the oldest.

    Nothing depends on the events themselves, so they need no order, and a run is repeatable.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, int, T]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, at: datetime, event: T, *, priority: int = 0) -> None:
        """Let `event` happen at that instant."""
        heapq.heappush(self._heap, (at, priority, self._pushed, event))
        self._pushed += 1

    @property
    def next_at(self) -> datetime | None:
        """When the next event happens; None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def due(self, until: datetime) -> Iterator[tuple[datetime, T]]:
        """Take out every event up to and including `until`, also those pushed meanwhile."""
        while self._heap and self._heap[0][0] <= until:
            at, _, _, event = heapq.heappop(self._heap)
            yield at, event
