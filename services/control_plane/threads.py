"""Threads for the store: one writes, a few read, one runs the loops; the event loop never blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class StoreThreads:
    """Runs plain functions in threads for coroutines that await them."""

    def __init__(self, readers: int) -> None:
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._thinker = ThreadPoolExecutor(1, thread_name_prefix="thinker")
        self._thought = Lock()

    async def write(self, act: Callable[[], T]) -> T:
        """Run it in the one thread that writes for callers, after all that was asked before."""
        return await self._run(self._writer, act)

    async def read(self, look: Callable[[], T]) -> T:
        """Run it in one of the reading threads."""
        return await self._run(self._readers, look)

    async def think(self, work: Callable[[], T]) -> T:
        """Run what takes seconds (what-if plans, explanations) aside, one at a time."""

        def thought() -> T:
            with self._thought:
                return work()

        return await self._run(self._thinker, thought)

    @property
    def thinks(self) -> bool:
        """True while something is thought about, also when nobody waits for it any more."""
        return self._thought.locked()

    def close(self) -> None:
        """Let running reads and writes end and take no more; nobody waits for thoughts any more."""
        self._thinker.shutdown(wait=False, cancel_futures=True)
        for pool in (self._writer, self._readers):
            pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    async def _run(pool: Executor, act: Callable[[], T]) -> T:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(act))
