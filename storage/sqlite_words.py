"""SQLite's messages about unusable files, with remedies; shared by all SQLite files."""

from __future__ import annotations

_REMEDIES = {
    "disk is full": "free space on its disk; it then continues",
    "readonly database": "make the file, its -wal and -shm and their directory writable",
    "unable to open database file": "make the file and its directory readable and writable",
    "database is locked": "another process is writing to it; try again",
    "disk I/O error": "check its disk",
}
_REFUSALS = ("readonly database", "unable to open database file")


def is_refusal(said: str) -> bool:
    """Whether the file may not be used, as where it belongs to another user."""
    return any(mark in said for mark in _REFUSALS)


def remedy_for(said: str) -> str:
    """What to do about it; "" when nothing general can be said."""
    return next((remedy for mark, remedy in _REMEDIES.items() if mark in said), "")
