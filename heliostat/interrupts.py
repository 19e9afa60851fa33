"""Keeps Ctrl-C from the processes that are started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def ctrl_c_kept_from_children() -> Iterator[None]:
    """A process that is started in the block never sees Ctrl-C, not even while it still imports.

    A terminal sends it to the whole group: this process sees it after the block, and ends its children.
    """
    # The tracker of shared resources unblocks the signal when it starts, so it starts before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
