"""Interactive requests that wait in memory for a place: the stricter tier first, then as they came."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

from heliostat.model.dispatch import DispatchAsk
from heliostat.model.names import ModelName, Tier
from scheduling.request import Request

_RANK = {tier: rank for rank, tier in enumerate(Tier)}


@dataclass(slots=True, kw_only=True)
class Held:
    """One request that waits, not beyond `until` (seconds)."""

    ask: DispatchAsk
    request: Request
    gateway_id: str
    attempt: int
    until: float
    why: str

    @property
    def turn(self) -> tuple[int, float]:
        """Lower goes first."""
        return _RANK[self.ask.tier], self.request.arrival


class Holding:
    """At most `most` requests, by model."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: dict[str, Held] = {}
        self._by_model: dict[ModelName, list[Held]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def full(self) -> bool:
        """True when nobody else may wait."""
        return len(self._by_id) >= self._most

    def get(self, request_id: str) -> Held | None:
        """The one of that name; None when it does not wait."""
        return self._by_id.get(request_id)

    def waiting(self, model: ModelName) -> int:
        """How many of the model wait."""
        return len(self._by_model.get(model, ()))

    def add(self, held: Held) -> None:
        """It waits from now on."""
        self._by_id[held.ask.request_id] = held
        insort(self._by_model.setdefault(held.ask.model, []), held, key=lambda one: one.turn)

    def drop(self, request_id: str) -> Held | None:
        """It waits no more; None when it did not."""
        held = self._by_id.pop(request_id, None)
        if held is not None:
            self._by_model[held.ask.model].remove(held)
        return held

    def drop_of(self, gateway_id: str) -> tuple[Held, ...]:
        """Nothing of that gateway waits any more."""
        gone = [name for name, held in self._by_id.items() if held.gateway_id == gateway_id]
        return tuple(held for name in gone if (held := self.drop(name)) is not None)

    def next(self, limit: int) -> Iterator[Held]:
        """Of every model the `limit` whose turn is next; they may be dropped meanwhile."""
        for model in tuple(self._by_model):
            yield from self._by_model[model][:limit]

    def overdue(self, now: float) -> tuple[Held, ...]:
        """Those that waited as long as they may."""
        return tuple(held for held in self._by_id.values() if held.until <= now)
