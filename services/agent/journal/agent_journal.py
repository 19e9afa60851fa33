"""Commands, words, observations, routes and the brake of one agent, kept in its journal file.

Bodies are messages of the wire contract: no tag of it is ever used twice, so a newer agent reads what
an older one wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import CorruptRoutingFile
from heliostat.model.command import Acknowledgement, Command, CommandState
from heliostat.model.fleet import RegionObservation
from heliostat.model.holding import AgentLife
from heliostat.model.instants import to_epoch
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageBatch, UsageWindow
from heliostat.v1 import fleet_pb2
from services.agent.journal.brake import read_brake
from services.agent.journal.file import JournalFile
from services.agent.journal.routing_file import read_routing_file, write_routing_file
from services.agent.journal.rows import command_of, table_of, word_of
from services.agent.journal.usage_box import UsageBox
from services.translation.commands import command_to_wire, word_to_wire
from services.translation.fleet import observation_from_wire, observation_to_wire
from services.translation.routing import table_to_wire
from services.translation.starts import drop_unreadable_starts

_KEEP_ENDED = timedelta(days=30)
"""An ended command is remembered for so long, lest a late repetition revive it."""


class SqliteJournal:
    """Implements `heliostat.ports.agent.AgentJournal`; `usage` holds the gateways' batches too."""

    def __init__(
        self,
        file: JournalFile,
        *,
        catalogue: FleetCatalogue,
        source_id: str,
        routing_file: Path | None = None,
    ) -> None:
        self._file = file
        self._catalogue = catalogue
        self._routing_file = routing_file
        self.usage = UsageBox(file, catalogue, source_id)
        self.routing_loss: CorruptRoutingFile | None = None
        """What was wrong with the routing file when a fresh journal looked for a table there."""
        if routing_file is not None and self.table() is None:
            self._take_over(routing_file)

    @property
    def life(self) -> AgentLife:
        """By what control planes tell this agent, and this life of it, from any other."""
        return AgentLife(
            agent_id=self.usage.source_id,
            journal_id=self._file.journal_id,
            incarnation=self._file.incarnation,
        )

    # --- commands ------------------------------------------------------------------------------

    def receive(self, commands: Sequence[Command]) -> None:
        with self._file.transaction(durable=False) as write:
            for command in commands:
                self._receive(write, command)

    def _receive(self, write: Connection, command: Command) -> None:
        row = write.execute(
            "SELECT ended, body FROM commands WHERE command_id = ?", (command.command_id,)
        ).fetchone()
        known = None if row is None else self._command(row[1])
        if known is not None and known.created_at != command.created_at:
            known, row = None, None  # another database counted to the same id
        ended_elsewhere = command.state.ended and command.state is not CommandState.CANCELLED
        if (row is not None and row[0]) or ended_elsewhere:
            return
        if known is not None and known.state is CommandState.CANCELLED:
            return
        if known is not None:
            command = replace(command, progress=known.progress)
        _put_command(write, command, ended=False)

    def open_commands(self) -> tuple[Command, ...]:
        rows = self._file.read("SELECT body FROM commands WHERE ended = 0 ORDER BY command_id")
        return tuple(self._command(body) for (body,) in rows)

    def knows(self, command_ids: Collection[str]) -> bool:
        """True when all of these were received, whatever became of them."""
        marks = ", ".join("?" * len(command_ids))
        query = f"SELECT count(*) FROM commands WHERE command_id IN ({marks})"  # noqa: S608 - marks only
        ((count,),) = self._file.read(query, tuple(command_ids))
        return int(count) == len(command_ids)

    # --- words ---------------------------------------------------------------------------------

    def acknowledge(self, ack: Acknowledgement) -> None:
        with self._file.transaction(durable=ack.state.ended) as write:
            row = write.execute(
                "SELECT ended, body FROM commands WHERE command_id = ?", (ack.command_id,)
            ).fetchone()
            if row is not None and row[0]:
                return
            if row is not None:
                command = replace(self._command(row[1]), progress=ack.progress)
                _put_command(write, command, ended=ack.state.ended)
            write.execute("DELETE FROM words WHERE command_id = ?", (ack.command_id,))
            write.execute(
                "INSERT INTO words (command_id, body) VALUES (?, ?)",
                (ack.command_id, word_to_wire(ack).SerializeToString()),
            )

    def unsent_acks(self) -> tuple[Acknowledgement, ...]:
        rows = self._file.read("SELECT body FROM words ORDER BY number")
        return tuple(self._file.decoded(word_of, body) for (body,) in rows)

    def ack_sent(self, ack: Acknowledgement) -> None:
        with self._file.transaction(durable=False) as write:
            write.execute(
                "DELETE FROM words WHERE command_id = ? AND body = ?",
                (ack.command_id, word_to_wire(ack).SerializeToString()),
            )

    # --- usage ---------------------------------------------------------------------------------

    def append_usage(self, windows: Sequence[UsageWindow]) -> UsageBatch | None:
        return self.usage.append(windows)

    def unsent_usage(self, limit: int) -> tuple[UsageBatch, ...]:
        return self.usage.own(limit)

    def usage_sent(self, incarnation: int, durable_sequence: int) -> None:
        self.usage.own_sent(incarnation, durable_sequence)

    # --- fleet ---------------------------------------------------------------------------------

    def put_observation(self, observation: RegionObservation) -> None:
        message = observation_to_wire(observation)
        with self._file.transaction(durable=False) as write:
            unsent = write.execute("SELECT body FROM observation").fetchone()
            if unsent is not None:
                before = self._observation(unsent[0]).lead_times
                fresh = [sample for sample in message.lead_times if sample not in before]
                del message.lead_times[:]
                message.lead_times.extend([*before, *fresh])
            write.execute(
                "INSERT OR REPLACE INTO observation VALUES (1, ?)", (message.SerializeToString(),)
            )

    def unsent_observation(self) -> RegionObservation | None:
        rows = self._file.read("SELECT body FROM observation")
        if not rows:
            return None
        message = self._observation(rows[0][0])
        drop_unreadable_starts(message, self._catalogue)
        return observation_from_wire("journal.observation", message, self._catalogue)

    def observation_sent(self, observed_at: datetime) -> None:
        with self._file.transaction(durable=False) as write:
            row = write.execute("SELECT body FROM observation").fetchone()
            if row is None:
                return
            message = self._observation(row[0])
            if message.observed_at.seconds == to_epoch(observed_at):
                write.execute("DELETE FROM observation")

    # --- routes --------------------------------------------------------------------------------

    def put_table(self, table: RoutingTable) -> None:
        body = table_to_wire(table).SerializeToString()
        with self._file.transaction(durable=True) as write:
            write.execute("INSERT OR REPLACE INTO routes VALUES (1, ?)", (body,))
        if self._routing_file is not None:
            write_routing_file(self._routing_file, table)

    def table(self) -> RoutingTable | None:
        rows = self._file.read("SELECT body FROM routes")
        if not rows:
            return None
        return self._file.decoded(table_of, rows[0][0])

    def _take_over(self, routing_file: Path) -> None:
        """A fresh journal takes the last good table from the file; a file that is broken is not used."""
        try:
            table = read_routing_file(routing_file)
        except CorruptRoutingFile as loss:
            self.routing_loss = loss
            return
        if table is not None:
            self.put_table(table)

    # --- the brake -----------------------------------------------------------------------------

    def paused(self) -> bool:
        return read_brake(self._file).paused

    # --- bodies --------------------------------------------------------------------------------

    def _command(self, body: bytes) -> Command:
        return self._file.decoded(command_of, body)

    def _observation(self, body: bytes) -> fleet_pb2.RegionObservation:
        return self._file.decoded(fleet_pb2.RegionObservation.FromString, body)


def _put_command(write: Connection, command: Command, *, ended: bool) -> None:
    write.execute(
        "INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?)",
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
