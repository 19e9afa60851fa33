"""Runs a demo until its day is over or somebody stops it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

from services.demo.day import Day
from services.demo.settings import DemoSettings
from services.demo.voice import Voice
from storage.catalogue_file import read_catalogue

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
_PLENTY_BYTES = 2 * 1024**3

INTERRUPTED = 130
"""Exit code of a demo that was stopped before its day was over."""


def run(settings: DemoSettings) -> int:
    """Live a demo; 0 when its day was lived to the end, 130 when it was stopped before.

    Raises InvalidCatalogue, InvalidTrace, Unavailable.
    """
    logging.basicConfig(level=logging.WARNING)
    collect_seldom()
    return asyncio.run(_run(settings))


def collect_seldom() -> None:
    """A day makes millions of short-lived values and hardly a cycle: looking for cycles as often as
    Python does by itself took a fifth of the demo's time."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


async def _run(settings: DemoSettings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    catalogue = read_catalogue(settings.catalogue)
    with ExitStack() as at_end:
        place = _place(settings, at_end)
        voice = at_end.enter_context(Voice())
        day = Day(settings, catalogue, place, voice, stop)
        figures = await day.live()
        if figures is None:
            voice.say("Stopped. Nothing is left behind.")
        return INTERRUPTED if figures is None else 0


def _place(settings: DemoSettings, at_end: ExitStack) -> Path:
    if settings.keep is not None:
        settings.keep.mkdir(parents=True, exist_ok=True)
        return settings.keep
    return Path(
        at_end.enter_context(
            tempfile.TemporaryDirectory(prefix="heliostat-demo-", dir=_quick_disk())
        )
    )


def _quick_disk() -> Path | None:
    """Memory where there is plenty of it, since nothing here must outlive a power cut; None = the
    system's temporary directory."""
    try:
        if shutil.disk_usage(_SHARED_MEMORY).free >= _PLENTY_BYTES:
            return _SHARED_MEMORY
    except OSError:
        pass
    return None
