"""A fallback for the brake: a small file beside the journal, overwritten in place.

A disk without room takes no new word into the journal, and no moment needs the brake more. The file is
made with the journal, so that pulling the brake asks the disk for nothing.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from heliostat.model.instants import from_epoch, to_epoch

_BYTES = 512
"""One sector: it is written whole or not at all."""
_NOTHING = b" " * _BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeState:
    """Whether the brake is on, since when and by whom; never touched = released."""

    paused: bool
    author: str = ""
    at: datetime | None = None


def reserve(journal: Path) -> None:
    """Make the file where there is none; without room even now, the agent starts all the same."""
    if not _beside(journal).exists():
        with suppress(OSError):
            _put(journal, _NOTHING)


def write(journal: Path, *, paused: bool, author: str, now: datetime) -> None:
    """Keep this word, also after a power cut. Raises OSError."""
    word = {"paused": paused, "at": to_epoch(now), "author": author[:100]}
    _put(journal, json.dumps(word).encode().ljust(_BYTES))


def clear(journal: Path) -> None:
    """The journal has a newer word; a word that cannot be cleared is older, and so does not count."""
    if read(journal) is not None:
        with suppress(OSError):
            _put(journal, _NOTHING)


def read(journal: Path) -> BrakeState | None:
    """The word in the file; None where there is none. One that cannot be read stops the agent."""
    try:
        text = _beside(journal).read_bytes().strip()
        if not text:
            return None
        word = json.loads(text)
        return BrakeState(
            paused=bool(word["paused"]), author=str(word["author"]), at=from_epoch(word["at"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return BrakeState(paused=True, author=f"{_beside(journal)}, which cannot be read")


def _beside(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.brake")


def _put(journal: Path, data: bytes) -> None:
    handle = os.open(_beside(journal), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, data, 0)
        os.fsync(handle)
    finally:
        os.close(handle)
