"""Which batch requests go where: what may not wait any longer wherever there is a place, the rest to
replicas with room to spare, the first due first.

A replica that is used less than 60 % takes one, less than 50 % two (SageServe, batch queue), and only
while it keeps every promise (Aladdin's rows).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from heliostat.model.dispatch import Placed, PlacementBasis
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.journal.batch_entry import BatchEntry

_TRIES = 4
"""How many requests may find no place before the rest waits for the next time."""

Fed = Mapping[str, tuple[BatchEntry, Placed]]
"""What was placed, by request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """When batch requests are placed; `most_a_feeding` of each model are looked at."""

    one_below: float = 0.6
    two_below: float = 0.5
    promoted_after: timedelta = timedelta(hours=10)
    promoted_before_due: timedelta = timedelta(minutes=30)
    most_a_feeding: int = 512


class Feeder:
    """Books places for batch requests; keeps nothing."""

    def __init__(self, placing: Placing, replicas: Replicas, rules: BatchRules) -> None:
        self._placing = placing
        self._replicas = replicas
        self._rules = rules

    def feed(
        self, model: ModelName, first: Iterable[BatchEntry], aged: Iterable[BatchEntry], now: float
    ) -> Fed:
        """Places for some of the model's requests: `first` are those due first, `aged` those that waited
        for long."""
        soon = from_epoch(int(now)) + self._rules.promoted_before_due
        waiting = list(first)
        urgent = {e.ask.request_id: e for e in (*(e for e in waiting if e.due <= soon), *aged)}
        fed = self._promote(urgent.values(), now)
        if self._placing.basis(model) is PlacementBasis.SIGNALS:
            rest = deque(entry for entry in waiting if entry.ask.request_id not in urgent)
            fed |= self._fill(model, rest, now)
        return fed

    def _promote(
        self, urgent: Iterable[BatchEntry], now: float
    ) -> dict[str, tuple[BatchEntry, Placed]]:
        """Like interactive requests, until a few found no place."""
        fed, misses = {}, 0
        for entry in urgent:
            request = self._placing.request_of(entry.ask, now)
            found = self._placing.place(
                entry.ask, request, gateway_id=entry.gateway_id, attempt=entry.attempt, now=now
            )
            if isinstance(found, Placed):
                fed[entry.ask.request_id] = (entry, found)
                continue
            misses += 1
            if misses == _TRIES:
                break
        return fed

    def _fill(
        self, model: ModelName, waiting: deque[BatchEntry], now: float
    ) -> dict[str, tuple[BatchEntry, Placed]]:
        """Every replica with room to spare takes one or two."""
        fed = {}
        for row, used in self._replicas.spare(model, self._rules.one_below):
            for _ in range(2 if used < self._rules.two_below else 1):
                taken = self._offer(row, waiting, now)
                if taken is None:
                    break
                fed[taken[0].ask.request_id] = taken
            if not waiting:
                break
        return fed

    def _offer(
        self, row: int, waiting: deque[BatchEntry], now: float
    ) -> tuple[BatchEntry, Placed] | None:
        """The first of a few that keeps every promise on that replica; it waits no more."""
        for place in range(min(_TRIES, len(waiting))):
            entry = waiting[place]
            found = self._placing.place_at(
                entry.ask,
                self._placing.request_of(entry.ask, now),
                row,
                gateway_id=entry.gateway_id,
                attempt=entry.attempt,
                now=now,
            )
            if isinstance(found, Placed):
                del waiting[place]
                return entry, found
        return None
