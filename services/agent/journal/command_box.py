"""Commands and what was said of them: open ones to carry out, ended ones to know again, words to send."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from sqlite3 import Connection

from heliostat.model.command import Acknowledgement, Command, CommandState
from heliostat.model.instants import to_epoch
from services.agent.journal.file import JournalFile
from services.agent.journal.rows import command_of, word_of
from services.translation.commands import command_to_wire, word_to_wire

_KEEP_ENDED = timedelta(days=30)
"""An ended command is remembered for so long, lest a late repetition revive it."""


class CommandBox:
    """The tables `commands` and `words`; an ended command's row holds the last word on it."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file

    def receive(self, commands: Sequence[Command]) -> None:
        """Keep commands as received, but none as expired: our own clock decides that. Of one that ended here
        and arrives open, the control plane has lost the end: it is said again."""
        with self._file.transaction(durable=False) as write:
            for command in sorted(commands, key=lambda command: command.command_id):
                self._receive(write, command)

    def _receive(self, write: Connection, command: Command) -> None:
        row = _row_of(write, command.command_id)
        known = None if row is None else self._command(row[1])
        if known is not None and known.created_at != command.created_at:
            _forget(write, command.command_id)  # another database counted to the same id
            known, row = None, None
        if row is not None and known is not None and row[0]:
            if not command.state.ended:
                _say_again(write, known)
            return
        if known is not None:
            if known.state.ended or command.state is CommandState.EXPIRED:
                return
            command = replace(command, progress=known.progress)
        elif command.state.ended and command.state is not CommandState.CANCELLED:
            return
        _put_command(write, command, ended=False)

    def open(self) -> tuple[Command, ...]:
        """Received and not ended here, in the order in which they came."""
        rows = self._file.read("SELECT body FROM commands WHERE ended = 0 ORDER BY number")
        return tuple(self._command(body) for (body,) in rows)

    def knows(self, command_ids: Collection[str]) -> bool:
        """True when all of these were received, whatever became of them."""
        marks = ", ".join("?" * len(command_ids))
        query = f"SELECT count(*) FROM commands WHERE command_id IN ({marks})"  # noqa: S608 - marks only
        ((count,),) = self._file.read(query, tuple(command_ids))
        return int(count) == len(command_ids)

    def acknowledge(self, ack: Acknowledgement) -> None:
        """Keep the newest word on a command; a second end changes nothing, nor does a word on a command of
        which another has the id by now."""
        with self._file.transaction(durable=ack.state.ended) as write:
            row = _row_of(write, ack.command_id)
            if row is not None:
                ended, command = row[0], self._command(row[1])
                if ended or not ack.is_on(command):
                    return
                _put_command(write, _told(command, ack), ended=ack.state.ended)
            write.execute("DELETE FROM words WHERE command_id = ?", (ack.command_id,))
            _put_word(write, ack)

    def unsent(self) -> tuple[Acknowledgement, ...]:
        """Words that were not confirmed, oldest first."""
        rows = self._file.read("SELECT body FROM words ORDER BY number")
        return tuple(self._file.decoded(word_of, body) for (body,) in rows)

    def sent(self, ack: Acknowledgement) -> None:
        """This word was confirmed; a newer one on the same command stays unsent."""
        with self._file.transaction(durable=False) as write:
            write.execute(
                "DELETE FROM words WHERE command_id = ? AND body = ?",
                (ack.command_id, word_to_wire(ack).SerializeToString()),
            )

    def _command(self, body: bytes) -> Command:
        return self._file.decoded(command_of, body)


def _row_of(write: Connection, command_id: str) -> tuple[bool, bytes] | None:
    """Whether a command ended here, and its body; None when it was not received."""
    query = "SELECT ended, body FROM commands WHERE command_id = ?"
    row: tuple[int, bytes] | None = write.execute(query, (command_id,)).fetchone()
    return None if row is None else (bool(row[0]), row[1])


def _forget(write: Connection, command_id: str) -> None:
    """Drop a command and the word on it, which would be taken for one on the new command of that id."""
    for table in ("commands", "words"):
        write.execute(f"DELETE FROM {table} WHERE command_id = ?", (command_id,))  # noqa: S608 - ours


def _told(command: Command, ack: Acknowledgement) -> Command:
    """The command after a word on it; one that ended holds all that `_last_word` needs."""
    if not ack.state.ended:
        return replace(command, progress=ack.progress)
    return replace(
        command,
        state=ack.state,
        progress=ack.progress,
        refusal=ack.refusal,
        outcome=ack.detail,
        ended_at=ack.at,
    )


def _last_word(ended: Command) -> Acknowledgement | None:
    """How the command ended; None where an older agent wrote the row, without its end."""
    if not ended.state.ended or ended.ended_at is None:
        return None
    return Acknowledgement(
        command_id=ended.command_id,
        region=ended.region,
        state=ended.state,
        at=ended.ended_at,
        progress=ended.progress,
        refusal=ended.refusal,
        detail=ended.outcome,
        command_created_at=ended.created_at,
    )


def _say_again(write: Connection, ended: Command) -> None:
    word = _last_word(ended)
    if word is not None:
        _put_word(write, word)


def _put_word(write: Connection, ack: Acknowledgement) -> None:
    """Let it wait to be sent, unless a word on the command waits already."""
    write.execute(
        "INSERT OR IGNORE INTO words (command_id, body) VALUES (?, ?)",
        (ack.command_id, word_to_wire(ack).SerializeToString()),
    )


def _put_command(write: Connection, command: Command, *, ended: bool) -> None:
    write.execute(
        "INSERT INTO commands (command_id, created_at, ended, body) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (command_id) DO UPDATE SET ended = excluded.ended, body = excluded.body",
        (
            command.command_id,
            to_epoch(command.created_at),
            ended,
            command_to_wire(command).SerializeToString(),
        ),
    )
    write.execute(
        "DELETE FROM commands WHERE ended AND created_at < ?",
        (to_epoch(command.created_at - _KEEP_ENDED),),
    )
