"""Runs a demo until its day is over or it is stopped, and cleans up."""

from __future__ import annotations

import asyncio

from heliostat.gc_tuning import collect_seldom
from services.demo.heard import hearing
from services.demo.process import asked_to_stop, check_writable, place
from services.demo.settings import DemoSettings
from services.demo.show import Show
from services.demo.voice import Voice
from storage.catalogue_file import read_catalogue

INTERRUPTED = 130
"""Exit code of a demo that was stopped before its day was over."""


def run(settings: DemoSettings) -> int:
    """Run a demo; 0 when its day ran to the end, 130 when it was stopped before.

    Raises InvalidSettings, InvalidCatalogue, InvalidTrace, Unavailable.
    """
    check_writable("--json", settings.json)
    collect_seldom()
    return asyncio.run(_run(settings))


async def _run(settings: DemoSettings) -> int:
    stop = asked_to_stop()
    catalogue = read_catalogue(settings.catalogue)
    with place(settings.keep) as where, Voice() as voice, hearing(voice.say):
        ended = await Show(settings, catalogue, where, voice, stop).give()
        if not ended:
            voice.say("Stopped. All processes and files were cleaned up.")
    return 0 if ended else INTERRUPTED
