"""Reads and writes are waited for when the threads close; thoughts are not."""

from __future__ import annotations

import asyncio
import threading

from services.control_plane.threads import StoreThreads


async def test_closing_waits_for_writes_and_not_for_thoughts() -> None:
    threads = StoreThreads(1)
    written: list[str] = []
    asked, may_think, may_write = threading.Event(), threading.Event(), threading.Event()

    def think() -> str:
        asked.set()
        may_think.wait()
        return "thought"

    def write() -> None:
        may_write.wait()
        written.append("done")

    thought = asyncio.create_task(threads.think(think))
    writing = asyncio.create_task(threads.write(write))
    await asyncio.to_thread(asked.wait)
    assert threads.thinks
    closing = asyncio.create_task(asyncio.to_thread(threads.close))
    may_write.set()
    await closing
    await writing
    assert written == ["done"]
    assert threads.thinks
    may_think.set()
    assert await thought == "thought"
