"""Whose a journal is, for a visitor whom the disk refuses."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def as_owner(journal: Path) -> str:
    """The remedy that names the owner of the journal, or of the nearest folder above it that can be looked
    at; "" where that is the visitor, or the visitor is root: then it is no matter of who asks."""
    for place in (journal, *journal.absolute().parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        if os.geteuid() in (0, owner):
            return ""
        return f"run the command as {_name(owner)}, who owns {place}"
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # of a container, say
        return f"user {uid}"
