"""Notices commits of other processes to PostgreSQL: LISTEN, and polling while that fails."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

import psycopg

from heliostat.errors import StorageUnavailable
from storage.notify import CHANNEL, Topic
from storage.sql.database import Database

_log = logging.getLogger(__name__)
_FIELDS = "heliostat_fields"
"""Under which name the process that logs looks for an event's figures."""
_WAKE_SECONDS = 1.0
"""How often the listening thread looks whether it should end."""
_RETRY_SECONDS = 2.0


class NotificationListener:
    """A thread that publishes the topics of other processes' commits on our feed.

    Whenever the connection was lost, every topic is published once per attempt: something may have
    been missed, and a listener that looks in vain loses nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closing = threading.Event()
        self._listening = threading.Event()
        url = database.engine.url.set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._thread = threading.Thread(target=self._run, name="heliostat-listen", daemon=True)
        self._thread.start()

    def wait_until_listening(self, timeout_seconds: float) -> bool:
        """True once notifications are heard, and what may have been missed was said; False when that took
        longer."""
        return self._listening.wait(timeout_seconds)

    def close(self) -> None:
        """End the thread; repeatable."""
        if self._closing.is_set():
            return
        self._closing.set()
        # Any notification wakes the thread at once; without one it looks a second later.
        with suppress(StorageUnavailable), self._database.write() as tx:
            tx.tell(Topic.USAGE)
        self._thread.join(timeout=10 * _WAKE_SECONDS)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._database.feed.publish(Topic)
                    self._listening.set()
                    self._hear(connection)
            except psycopg.Error as error:
                _log.warning("listening_failed", extra={_FIELDS: {"reason": str(error)}})
                self._listening.clear()
                self._database.feed.publish(Topic)
                self._closing.wait(_RETRY_SECONDS)

    def _hear(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        while not self._closing.is_set():
            for notification in connection.notifies(timeout=_WAKE_SECONDS):
                topic, _, token = notification.payload.partition(" ")
                if token != self._database.token and topic in list(Topic):
                    self._database.feed.publish((Topic(topic),))
                if self._closing.is_set():
                    return
