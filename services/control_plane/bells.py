"""Wakes watchers when their subject changes, and all of them when the control plane shuts down."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from heliostat.errors import Unavailable
from storage.notify import Topic


class Bells:
    """One bell per topic; rung from any thread, heard in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = dict.fromkeys(Topic, 0)
        self._sleepers: dict[Topic, set[asyncio.Event]] = {topic: set() for topic in Topic}
        self.closing = asyncio.Event()

    def ring(self, topic: Topic) -> None:
        """Something of this topic changed; callable from any thread, also after the loop ended."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._ring, topic)

    def close(self) -> None:
        """End every wait with Unavailable, so that streams end and clients go elsewhere."""
        self.closing.set()
        for topic in Topic:
            self._wake(topic)

    def count(self, *topics: Topic) -> int:
        """How often they have rung together; to be given to `changed`."""
        return sum(self._rung[topic] for topic in topics)

    async def changed(self, *topics: Topic, seen: int, at_most: float) -> int:
        """Wait until one of them rang since `seen`, or `at_most` seconds; the new count.

        Raises Unavailable when the control plane goes away.
        """
        if self.count(*topics) == seen and not self.closing.is_set():
            await self._sleep(topics, at_most)
        self.check_open()
        return self.count(*topics)

    async def _sleep(self, topics: Collection[Topic], at_most: float) -> None:
        woken = asyncio.Event()
        for topic in topics:
            self._sleepers[topic].add(woken)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), at_most)
        finally:
            for topic in topics:
                self._sleepers[topic].discard(woken)

    def check_open(self) -> None:
        """Raises Unavailable when the control plane goes away."""
        if self.closing.is_set():
            raise Unavailable(
                "this control plane is shutting down", remedy="reconnect; another one may answer"
            )

    def _ring(self, topic: Topic) -> None:
        self._rung[topic] += 1
        self._wake(topic)

    def _wake(self, topic: Topic) -> None:
        for sleeper in self._sleepers[topic]:
            sleeper.set()
