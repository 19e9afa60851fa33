"""The demo's process environment: signals and directories."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heliostat.errors import InvalidSettings
from services.demo.settings import STDOUT

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
_PLENTY_BYTES = 2 * 1024**3


def asked_to_stop() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM from now on; needs the running event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """The directory to keep things in, or one that goes away at the end. Raises InvalidSettings."""
    if keep is not None:
        yield _kept(keep)
        return
    prefix = f"heliostat-demo-{os.getpid()}-"  # whose it is, should it ever be left behind
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_quick_disk()) as made:
        yield Path(made)


def _kept(keep: Path) -> Path:
    """The directory, made where there is none; tried before anything is started."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
        lived_in = any(keep.iterdir())
        with tempfile.TemporaryFile(dir=keep):
            pass
    except OSError as error:
        raise InvalidSettings(
            "--keep",
            f"{keep} cannot be used: {error.strerror}",
            remedy="use a writable directory, or omit --keep",
        ) from error
    if lived_in:
        raise InvalidSettings(
            "--keep",
            f"{keep} is not empty; files of two demos would mix",
            remedy="use a new directory, or empty this one",
        )
    return keep


def check_writable(name: str, file: Path | None) -> None:
    """Raises InvalidSettings where the file cannot be written, before work is done for it in vain."""
    if file is None or file == STDOUT:
        return
    folder = file.absolute().parent
    wrong = ""
    if file.is_dir():
        wrong = "is a directory"
    elif not folder.is_dir():
        wrong = f"there is no directory {folder}"
    elif not os.access(file if file.exists() else folder, os.W_OK):
        wrong = "is not writable"
    if wrong:
        raise InvalidSettings(name, f"{file}: {wrong}", remedy="use a file in a writable directory")


def _quick_disk() -> Path | None:
    """Memory where there is plenty of it, since nothing here must outlive a power cut; None = the
    system's temporary directory."""
    try:
        if shutil.disk_usage(_SHARED_MEMORY).free >= _PLENTY_BYTES:
            return _SHARED_MEMORY
    except OSError:
        pass
    return None
