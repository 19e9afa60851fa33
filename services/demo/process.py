"""What a process of the demo does with its surroundings: signals, a place on disk, the collector."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
_PLENTY_BYTES = 2 * 1024**3


def collect_seldom() -> None:
    """A day makes millions of short-lived values and hardly a cycle: looking for cycles as often as
    Python does by itself took a fifth of the demo's time."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


def asked_to_stop() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM from now on; needs the running event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def leave_ctrl_c_to_others() -> None:
    """A terminal sends Ctrl-C to everybody; who started us ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """The directory to keep things in, or one that goes away at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    prefix = f"heliostat-demo-{os.getpid()}-"  # whose it is, should it ever be left behind
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_quick_disk()) as made:
        yield Path(made)


def _quick_disk() -> Path | None:
    """Memory where there is plenty of it, since nothing here must outlive a power cut; None = the
    system's temporary directory."""
    try:
        if shutil.disk_usage(_SHARED_MEMORY).free >= _PLENTY_BYTES:
            return _SHARED_MEMORY
    except OSError:
        pass
    return None
