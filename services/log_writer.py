"""Writes log lines without ever blocking on a reader.

A pipe that nobody empties, or a terminal that was stopped, would otherwise hold up whoever logs: the event
loop, the thread that renews the lease, and the end of the process.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable

_CHUNK_BYTES = select.PIPE_BUF
"""A pipe that is ready takes so much at once without waiting."""
_PATIENCE_MILLISECONDS = 200
"""How long the rest of a line that has begun may wait."""


class LinesOrNothing(logging.Handler):
    """Writes whole lines to a file descriptor; those for which there is no room are counted, and the next
    line that passes is followed by their number."""

    def __init__(self, descriptor: int, lost: Callable[[int], logging.LogRecord]) -> None:
        """`lost` makes the record that tells of so many lines."""
        super().__init__()
        self._descriptor = descriptor
        self._lost = lost
        self._lines_lost = 0
        self._broken_off = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        try:
            if not self._write(self.format(record)):
                self._lines_lost += 1
            elif self._lines_lost and self._write(self.format(self._lost(self._lines_lost))):
                self._lines_lost = 0
        except OSError:
            self._lines_lost += 1  # nobody is there to be told
        except Exception:  # noqa: BLE001 - logging must not end what is logged, as in the standard library
            self.handleError(record)

    def _write(self, line: str) -> bool:
        """True when the whole line is out."""
        data = f"{line}\n".encode(errors="backslashreplace")
        if self._broken_off:
            data = b"\n" + data
        wait = 0
        while data:
            if not self._has_room(wait):
                self._broken_off |= wait > 0
                return False
            data = data[os.write(self._descriptor, data[:_CHUNK_BYTES]) :]
            wait = _PATIENCE_MILLISECONDS
        self._broken_off = False
        return True

    def _has_room(self, milliseconds: int) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(milliseconds))
