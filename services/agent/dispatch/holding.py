"""Interactive requests that wait in memory for a place: in front the stricter tier, then as they came."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from heliostat.model.dispatch import DispatchAsk
from heliostat.model.names import ModelName, Tier
from scheduling.request import Request

_RANK = {tier: rank for rank, tier in enumerate(Tier)}


@dataclass(slots=True, kw_only=True, eq=False)
class Held:
    """One request that waits, not beyond `until` (seconds)."""

    ask: DispatchAsk
    request: Request
    gateway_id: str
    attempt: int
    until: float
    why: str
    in_line: Request | None = None
    """As an ordering takes it (`line`); None until it was in line."""

    @property
    def turn(self) -> tuple[int, float]:
        """Lower goes first."""
        return _RANK[self.ask.tier], self.request.arrival


class Holding:
    """At most `most` requests, by model.

    Lists keep those that left until their turn comes: leaving costs nothing, however many wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: dict[str, Held] = {}
        self._by_gateway: dict[str, set[str]] = {}
        self._by_model: dict[ModelName, list[Held]] = {}
        self._waiting: Counter[ModelName] = Counter()

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
        return self._waiting[model]

    def add(self, held: Held) -> None:
        """It waits from now on."""
        self._by_id[held.ask.request_id] = held
        self._by_gateway.setdefault(held.gateway_id, set()).add(held.ask.request_id)
        self._waiting[held.ask.model] += 1
        insort(self._by_model.setdefault(held.ask.model, []), held, key=lambda one: one.turn)

    def drop(self, request_id: str) -> Held | None:
        """It waits no more; None when it did not."""
        held = self._by_id.pop(request_id, None)
        if held is not None:
            self._waiting[held.ask.model] -= 1
            self._leave(held)
        return held

    def hand_over(self, held: Held, gateway_id: str) -> None:
        """It waits for that gateway from now on."""
        self._leave(held)
        held.gateway_id = gateway_id
        self._by_gateway.setdefault(gateway_id, set()).add(held.ask.request_id)

    def drop_of(self, gateway_id: str) -> tuple[Held, ...]:
        """Nothing of that gateway waits any more."""
        gone = tuple(self._by_gateway.get(gateway_id, ()))
        return tuple(held for name in gone if (held := self.drop(name)) is not None)

    def fronts(self, limit: int) -> Mapping[ModelName, Sequence[Held]]:
        """Of every model the `limit` whose turn is next."""
        return {model: self._next(model, limit) for model in self._by_model if self._waiting[model]}

    def overdue(self, now: float) -> tuple[Held, ...]:
        """Those that waited as long as they may."""
        return tuple(held for held in self._by_id.values() if held.until <= now)

    def _leave(self, held: Held) -> None:
        names = self._by_gateway[held.gateway_id]
        names.discard(held.ask.request_id)
        if not names:
            del self._by_gateway[held.gateway_id]

    def _next(self, model: ModelName, limit: int) -> list[Held]:
        line = self._by_model[model]
        if len(line) > 2 * self._waiting[model]:
            line[:] = [held for held in line if self._is_here(held)]
        return list(islice((held for held in line if self._is_here(held)), limit))

    def _is_here(self, held: Held) -> bool:
        return self._by_id.get(held.ask.request_id) is held
