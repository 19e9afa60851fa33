"""Tells listeners that something was committed: which kind of thing, never what exactly.

A listener that hears a topic reads the store. Missing one is harmless as long as somebody polls too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum

_log = logging.getLogger(__name__)

CHANNEL = "heliostat"
"""The PostgreSQL channel; a payload is the topic and the token of the process that committed."""


class Topic(StrEnum):
    """What changed."""

    ROUTING = "routing"
    COMMANDS = "commands"
    """Ordered, cancelled, expired: agents have something to hear."""
    WORDS = "words"
    """An agent said how far a command is."""
    PLAN = "plan"
    USAGE = "usage"


Listener = Callable[[Topic], None]


class ChangeFeed:
    """Calls every listener once per committed topic, in the thread that committed or watched.

    Listeners return at once (set an event, schedule a callback) and may be called from any thread;
    one that raises is logged and does not disturb the others.
    """

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._next = 0
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` from now on; the answer ends the subscription and may be repeated."""
        with self._lock:
            token = self._next = self._next + 1
            self._listeners[token] = listener

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(token, None)

        return unsubscribe

    def publish(self, topics: Iterable[Topic]) -> None:
        """Tell everybody, after the transaction committed."""
        with self._lock:
            listeners = tuple(self._listeners.values())
        for topic in topics:
            for listener in listeners:
                try:
                    listener(topic)
                except Exception:  # noqa: BLE001 - a listener's fault must not look like a failed commit
                    _log.exception("change_listener_failed")
