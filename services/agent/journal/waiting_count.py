"""How many batch requests wait, by model, gateway, and minute in which they are due; kept in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from threading import Lock
from typing import NamedTuple

MINUTE_SECONDS = 60


class WaitingPlace(NamedTuple):
    """Where a request is counted: its model, its gateway, and the minute in which it is due, since 1970."""

    model: str
    gateway_id: str
    due_minute: int


class WaitingCount:
    """Counts that several threads change and read; a change is seen whole or not at all."""

    def __init__(self, counts: Iterable[tuple[WaitingPlace, int]] = ()) -> None:
        self._by_place: Counter[WaitingPlace] = Counter()
        self._by_model: Counter[str] = Counter()
        self._turn = Lock()
        self.change(came=Counter(dict(counts)))

    def of(self, model: str) -> int:
        """How many wait of that model."""
        return self._by_model[model]

    def total(self) -> int:
        """How many wait of all models."""
        with self._turn:
            return self._by_model.total()

    def by_minute(self, model: str, gateways: Collection[str] | None = None) -> Mapping[int, int]:
        """How many of that model and these gateways (None = all) are due in each minute since 1970 in which
        any is."""
        found: Counter[int] = Counter()
        with self._turn:
            for place, requests in self._by_place.items():
                if place.model == model and (gateways is None or place.gateway_id in gateways):
                    found[place.due_minute] += requests
        return found

    def change(
        self,
        *,
        came: Counter[WaitingPlace] | None = None,
        left: Counter[WaitingPlace] | None = None,
    ) -> None:
        """So many wait more, and less."""
        with self._turn:
            for place, requests in (came or {}).items():
                self._move(place, requests)
            for place, requests in (left or {}).items():
                self._move(place, -requests)

    def _move(self, place: WaitingPlace, change: int) -> None:
        self._by_model[place.model] += change
        self._by_place[place] += change
        if not self._by_place[place]:
            del self._by_place[place]


def waiting_place(model: str, gateway_id: str, due: int) -> WaitingPlace:
    """Where a request that is due at that second is counted."""
    return WaitingPlace(model, gateway_id, due // MINUTE_SECONDS)
