"""Feeds batch requests to replicas: urgent ones to any place, the rest to spare replicas, earliest due first.

A replica less than 60 % used takes one request, less than 50 % two (SageServe, batch queue), and only
while it keeps every promise (Aladdin's rows). A request without a place, perhaps because it is too large,
is skipped for a while, so that those behind it are tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from heliostat.model.dispatch import Placed, PlacementBasis
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName
from scheduling.placement.placer import Reason
from scheduling.sageserve import BatchAdmission
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.journal.batch_entry import BatchEntry

_TRIES = 4
"""Failed placements after which the rest waits for the next feeding."""
_ASIDE_SECONDS = 30.0
"""How long a request without a place is skipped. In that time `_TRIES` per feeding are skipped, so this
bounds how many unplaceable requests can precede others."""

Fed = Mapping[str, tuple[BatchEntry, Placed]]
"""What was placed, by request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules(BatchAdmission):
    """When batch requests are placed; `most_a_feeding` of each model are looked at."""

    promoted_before_due: timedelta = timedelta(minutes=30)
    most_a_feeding: int = 512


class Feeder:
    """Books places for batch requests and skips those that recently found none."""

    def __init__(self, placing: Placing, replicas: Replicas, rules: BatchRules) -> None:
        self._placing = placing
        self._replicas = replicas
        self._rules = rules
        self._aside: dict[str, float] = {}
        """Requests being skipped, and until when."""

    def feed(
        self, model: ModelName, first: Iterable[BatchEntry], aged: Iterable[BatchEntry], now: float
    ) -> Fed:
        """Places for some of the model's requests: `first` are those due first, `aged` those that waited
        for long."""
        soon = from_epoch(int(now)) + self._rules.promoted_before_due
        self._aside = {name: until for name, until in self._aside.items() if until > now}
        waiting = self._candidates(first)
        due = (entry for entry in waiting if entry.due <= soon)
        urgent = {e.ask.request_id: e for e in (*due, *self._candidates(aged))}
        fed = self._promote(urgent.values(), now)
        if self._placing.basis(model) is PlacementBasis.SIGNALS:
            rest = deque(entry for entry in waiting if entry.ask.request_id not in urgent)
            fed |= self._fill(model, rest, now)
        return fed

    def _candidates(self, entries: Iterable[BatchEntry]) -> list[BatchEntry]:
        """Without skipped requests, unless all of them are skipped."""
        all_of_them = list(entries)
        found = [entry for entry in all_of_them if entry.ask.request_id not in self._aside]
        return found or all_of_them

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
            if found.reason is Reason.NO_REPLICA:
                break
            self._aside[entry.ask.request_id] = now + _ASIDE_SECONDS
            misses += 1
            if misses == _TRIES:
                break
        return fed

    def _fill(
        self, model: ModelName, waiting: deque[BatchEntry], now: float
    ) -> dict[str, tuple[BatchEntry, Placed]]:
        """Every spare replica takes one or two requests; one that fits none is skipped for a while."""
        fed: dict[str, tuple[BatchEntry, Placed]] = {}
        missed: set[str] = set()
        for row, used in self._replicas.spare(model, self._rules.one_below):
            for _ in range(2 if used < self._rules.two_below else 1):
                taken = self._offer(row, waiting, missed, now)
                if taken is None:
                    break
                fed[taken[0].ask.request_id] = taken
            if not waiting:
                break
        self._aside.update(dict.fromkeys(missed - fed.keys(), now + _ASIDE_SECONDS))
        return fed

    def _offer(
        self, row: int, waiting: deque[BatchEntry], missed: set[str], now: float
    ) -> tuple[BatchEntry, Placed] | None:
        """The first of a few that keeps every promise on that replica; it waits no more. The others of
        them have `missed` it."""
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
            missed.add(entry.ask.request_id)
        return None
