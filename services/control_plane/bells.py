"""Wakes those who watch something when it changed, and everybody when the control plane goes away."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from heliostat.errors import Unavailable
from storage.notify import Topic


class Bells:
    """One bell per topic; rung from any thread, heard in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = dict.fromkeys(Topic, 0)
        self._waking: dict[Topic, asyncio.Event] = {topic: asyncio.Event() for topic in Topic}
        self.closing = asyncio.Event()

    def ring(self, topic: Topic) -> None:
        """Something of this topic changed; callable from any thread, also after the loop ended."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._ring, topic)

    def close(self) -> None:
        """End every wait with Unavailable, so that streams end and clients go elsewhere."""
        self.closing.set()
        for event in self._waking.values():
            event.set()

    def count(self, topic: Topic) -> int:
        """How often it has rung; to be given to `changed`."""
        return self._rung[topic]

    async def changed(self, topic: Topic, seen: int, at_most: float) -> int:
        """Wait until it rang since `seen`, or that many seconds; the new count.

        Raises Unavailable when the control plane goes away.
        """
        if self._rung[topic] == seen and not self.closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waking[topic].wait(), at_most)
        self.check_open()
        return self._rung[topic]

    def check_open(self) -> None:
        """Raises Unavailable when the control plane goes away."""
        if self.closing.is_set():
            raise Unavailable(
                "this control plane is shutting down", remedy="connect again, another may answer"
            )

    def _ring(self, topic: Topic) -> None:
        self._rung[topic] += 1
        if not self.closing.is_set():
            self._waking[topic].set()
            self._waking[topic] = asyncio.Event()
