"""The agent's own brake: who pulled or released it, and when; the newest word counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heliostat.model.instants import from_epoch, to_epoch
from services.agent.journal.file import JournalFile


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeState:
    """Whether the brake is on, since when and by whom; never touched = released."""

    paused: bool
    author: str = ""
    at: datetime | None = None


def put_brake(file: JournalFile, *, paused: bool, author: str, now: datetime) -> None:
    """Pull or release it; durable."""
    with file.transaction(durable=True) as write:
        write.execute(
            "INSERT INTO brake (at, author, paused) VALUES (?, ?, ?)",
            (to_epoch(now), author, paused),
        )


def read_brake(file: JournalFile) -> BrakeState:
    """The brake as it stands."""
    rows = file.read("SELECT paused, author, at FROM brake ORDER BY number DESC LIMIT 1")
    if not rows:
        return BrakeState(paused=False)
    paused, author, at = rows[0]
    return BrakeState(paused=bool(paused), author=author, at=from_epoch(at))
