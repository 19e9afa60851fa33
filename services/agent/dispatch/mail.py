"""Decisions on their way to gateways: one box per open stream; what comes later goes to whichever is open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from heliostat.errors import RequestIdReused
from heliostat.model.dispatch import DispatchDecision

FULL = 10_000
"""A stream whose gateway leaves so many unread is not listened to until it reads."""
MOST_WAITING = 100_000
"""Beyond, its oldest decisions are dropped: the gateway hears them when it asks again."""


class Mailbox:
    """What waits for one stream, in order."""

    def __init__(self) -> None:
        self._waiting: list[DispatchDecision] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    def put(self, decisions: Sequence[DispatchDecision]) -> None:
        """For the next `take`."""
        self._waiting.extend(decisions)
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[: len(self._waiting) - MOST_WAITING]
        if len(self._waiting) >= FULL:
            self._room.clear()
        self._news.set()

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True
        self._news.set()

    async def take(self) -> Sequence[DispatchDecision]:
        """Everything that waits, as soon as something does; nothing once it is closed and empty."""
        while not self._waiting and not self._closed:
            await self._news.wait()
            self._news.clear()
        taken, self._waiting = self._waiting, []
        self._news.clear()
        self._room.set()
        return taken

    async def room(self) -> None:
        """As soon as there is room for more."""
        await self._room.wait()


class Mail:
    """Streams by gateway; the one that was opened last gets what comes later."""

    def __init__(self) -> None:
        self._boxes: dict[str, list[Mailbox]] = {}

    @property
    def gateways(self) -> frozenset[str]:
        """Gateways with an open stream."""
        return frozenset(self._boxes)

    def check_mine(self, request_id: str, before: str, gateway_id: str) -> bool:
        """Whether a request changes hands: True when the gateway that asked before has gone and another
        one asks. Raises RequestIdReused when it is still there: two would send the request to a replica.
        """
        if before == gateway_id:
            return False
        if before in self._boxes:
            raise RequestIdReused(
                f"request {request_id} belongs to gateway {before}, whose stream is open",
                remedy="use request ids that are unique in the region",
            )
        return True

    def post(self, gateway_id: str, decision: DispatchDecision) -> bool:
        """True when a stream is there to carry it."""
        boxes = self._boxes.get(gateway_id)
        if not boxes:
            return False
        boxes[-1].put([decision])
        return True

    @contextmanager
    def stream(self, gateway_id: str) -> Iterator[Mailbox]:
        """A stream of that gateway, until the block ends."""
        box = Mailbox()
        self._boxes.setdefault(gateway_id, []).append(box)
        try:
            yield box
        finally:
            boxes = self._boxes[gateway_id]
            boxes.remove(box)
            if not boxes:
                del self._boxes[gateway_id]
