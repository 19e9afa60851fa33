"""Interactive requests that wait in memory for a place: in front the oldest of every tier, then the
stricter tier, as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from heliostat.model.dispatch import DispatchAsk
from heliostat.model.names import ModelName, Tier
from scheduling.request import Request


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


class Holding:
    """At most `most` requests, by model and tier, as they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: dict[str, Held] = {}
        self._by_gateway: dict[str, set[str]] = {}
        self._lines: dict[ModelName, dict[Tier, dict[str, Held]]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def full(self) -> bool:
        """True when no more requests may be held."""
        return len(self._by_id) >= self._most

    def get(self, request_id: str) -> Held | None:
        """The one of that name; None when it does not wait."""
        return self._by_id.get(request_id)

    def waiting(self, model: ModelName) -> int:
        """How many of the model wait."""
        return sum(len(line) for line in self._lines.get(model, {}).values())

    def add(self, held: Held) -> None:
        """It waits from now on, behind all others of its tier."""
        self._by_id[held.ask.request_id] = held
        self._by_gateway.setdefault(held.gateway_id, set()).add(held.ask.request_id)
        lines = self._lines.setdefault(held.ask.model, {tier: {} for tier in Tier})
        lines[held.ask.tier][held.ask.request_id] = held

    def drop(self, request_id: str) -> Held | None:
        """It waits no more; None when it did not."""
        held = self._by_id.pop(request_id, None)
        if held is not None:
            del self._lines[held.ask.model][held.ask.tier][request_id]
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
        """Of every model for which some wait, the `limit` whose turn is next: the stricter tier, as they
        came. Of every tier, even beyond the limit, the oldest is among them."""
        return {
            model: front for model, lines in self._lines.items() if (front := _front(lines, limit))
        }

    def overdue(self, now: float) -> tuple[Held, ...]:
        """Those that waited as long as they may."""
        return tuple(held for held in self._by_id.values() if held.until <= now)

    def _leave(self, held: Held) -> None:
        names = self._by_gateway[held.gateway_id]
        names.discard(held.ask.request_id)
        if not names:
            del self._by_gateway[held.gateway_id]


def _front(lines: Mapping[Tier, Mapping[str, Held]], limit: int) -> list[Held]:
    waiting = [line for line in lines.values() if line]
    room = max(0, limit - len(waiting))
    front: list[Held] = []
    for line in waiting:
        others = min(len(line) - 1, room)
        front += islice(line.values(), 1 + others)
        room -= others
    return front
