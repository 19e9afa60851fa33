"""What a region's troubles have written down: outages and spot evictions, each once, in order of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from simulation.troubles import CloudTroubles, Eviction

Blow = Eviction | None
"""None = the whole region is lost."""


class Blows:
    """The scripted ones; what chance draws belongs to each replica (`simulation.fortune`)."""

    def __init__(self, troubles: CloudTroubles) -> None:
        blows: list[tuple[datetime, Blow]] = [(outage.start, None) for outage in troubles.outages]
        blows += [(eviction.at, eviction) for eviction in troubles.evictions]
        self._ahead = deque(sorted(blows, key=lambda blow: blow[0]))

    def due(self, until: datetime) -> Iterator[tuple[datetime, Blow]]:
        """Take out every blow up to and including `until`."""
        while self._ahead and self._ahead[0][0] <= until:
            yield self._ahead.popleft()
