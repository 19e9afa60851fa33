"""The agent's local brake: who paused or resumed it, and when; the newest entry applies."""

from __future__ import annotations

from datetime import datetime

from heliostat.errors import StorageUnavailable
from heliostat.model.instants import from_epoch, to_epoch
from services.agent.journal import brake_file
from services.agent.journal.brake_file import BrakeState
from services.agent.journal.file import JournalFile


def put_brake(file: JournalFile, *, paused: bool, author: str, now: datetime) -> None:
    """Pull or release it; durable. Where the journal takes no word (a full disk), the file beside it
    does. Raises StorageUnavailable when neither does."""
    try:
        with file.transaction(durable=True) as write:
            write.execute(
                "INSERT INTO brake (at, author, paused) VALUES (?, ?, ?)",
                (to_epoch(now), author, paused),
            )
    except StorageUnavailable as full:
        try:
            brake_file.write(file.path, paused=paused, author=author, now=now)
        except OSError:
            raise full from None
    else:
        brake_file.clear(file.path)


def read_brake(file: JournalFile) -> BrakeState:
    """The brake as it stands."""
    journalled = _journalled(file)
    beside = brake_file.read(file.path)
    if beside is None:
        return journalled
    if beside.at is None or journalled.at is None or beside.at >= journalled.at:
        return beside
    return journalled


def _journalled(file: JournalFile) -> BrakeState:
    rows = file.read("SELECT paused, author, at FROM brake ORDER BY number DESC LIMIT 1")
    if not rows:
        return BrakeState(paused=False)
    paused, author, at = rows[0]
    return BrakeState(paused=bool(paused), author=author, at=from_epoch(at))
