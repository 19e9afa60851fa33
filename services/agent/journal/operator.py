"""Operator access to a journal from another process, with or without a running agent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from heliostat.model.instants import to_epoch
from services.agent.journal.brake import put_brake, read_brake
from services.agent.journal.brake_file import BrakeState
from services.agent.journal.file import JournalFile


def set_brake(journal: Path, *, paused: bool, author: str, now: datetime) -> None:
    """Pull or release the agent's brake; it works within one tick, the control plane is not asked, and
    a full disk is no hindrance."""
    with _visit(journal) as file:
        put_brake(file, paused=paused, author=author, now=now)


def brake(journal: Path) -> BrakeState:
    """The brake as it stands."""
    with _visit(journal) as file:
        return read_brake(file)


def request_adoption(journal: Path, vm_ids: Sequence[str], *, author: str, now: datetime) -> None:
    """Ask the agent to take VMs that it reports as unknown into the pool that their tags name."""
    with _visit(journal) as file, file.transaction(durable=True) as write:
        write.executemany(
            "INSERT OR REPLACE INTO adoptions VALUES (?, ?, ?)",
            [(vm_id, to_epoch(now), author) for vm_id in vm_ids],
        )


@contextmanager
def _visit(journal: Path) -> Iterator[JournalFile]:
    file = JournalFile.visit(journal)
    try:
        yield file
    finally:
        file.close()
