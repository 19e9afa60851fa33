"""One worker process, kept alive for a lane's work; it can be ended in the middle of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, TypeVar

from forecasting import lane
from heliostat.interrupts import ctrl_c_kept_from_children

T = TypeVar("T")


class Worker:
    """Comes from a fork server, never from a fork of this process: gRPC may be running in it."""

    def __init__(self, pickled_settings: bytes) -> None:
        """Start it. Raises RuntimeError when the fork server was ended while it made the process."""
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("forkserver"),
            initializer=lane.prepare,
            initargs=(pickled_settings,),
        )
        try:
            # The first one starts the fork server, whose children begin with the signals that it began with.
            with ctrl_c_kept_from_children():
                self._process_id = self._pool.submit(os.getpid)
        except (EOFError, OSError) as error:
            raise BrokenProcessPool("the fork server exited") from error

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start it after all that was submitted before. Raises RuntimeError when the process died or was
        ended; so does the future, or CancelledError."""
        return self._pool.submit(work, *arguments)

    @property
    def process_id(self) -> int:
        """Of the process; waits until it stands. Raises what `submit` raises."""
        return self._process_id.result()

    def end(self) -> None:
        """Let the running work end, take no more, and wait for the process; repeatable."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def kill(self) -> None:
        """End it now, in the middle of its work; `end` still has to be called."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._process_id.add_done_callback(_kill)


def _kill(process_id: Future[int]) -> None:
    if process_id.cancelled() or process_id.exception() is not None:
        return  # it never stood, or died before
    with suppress(ProcessLookupError):
        os.kill(process_id.result(), signal.SIGKILL)
