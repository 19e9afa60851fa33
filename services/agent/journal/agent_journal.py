"""Commands, words, observations, routes and the brake of one agent, kept in its journal file.

Bodies are messages of the wire contract: no tag of it is ever used twice, so a newer agent reads what
an older one wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import CorruptRoutingFile
from heliostat.model.command import Acknowledgement, Command
from heliostat.model.fleet import RegionObservation
from heliostat.model.holding import AgentLife
from heliostat.model.instants import to_epoch
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageBatch, UsageWindow
from heliostat.v1 import fleet_pb2
from services.agent.journal.brake import read_brake
from services.agent.journal.command_box import CommandBox
from services.agent.journal.file import JournalFile
from services.agent.journal.routing_file import read_routing_file, write_routing_file
from services.agent.journal.rows import table_of
from services.agent.journal.usage_box import REFUSED_LIMITS, RefusedLimits, UsageBox
from services.translation.fleet import observation_from_wire, observation_to_wire
from services.translation.routing import table_to_wire
from services.translation.starts import drop_unreadable_starts


class SqliteJournal:
    """Implements `heliostat.ports.agent.AgentJournal`; `usage` holds the gateways' batches too."""

    def __init__(
        self,
        file: JournalFile,
        *,
        catalogue: FleetCatalogue,
        source_id: str,
        routing_file: Path | None = None,
        refused_limits: RefusedLimits = REFUSED_LIMITS,
    ) -> None:
        self._file = file
        self._catalogue = catalogue
        self._routing_file = routing_file
        self._commands = CommandBox(file)
        self.usage = UsageBox(file, catalogue, source_id, refused_limits)
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

    # --- commands and words --------------------------------------------------------------------

    def receive(self, commands: Sequence[Command]) -> None:
        self._commands.receive(commands)

    def open_commands(self) -> tuple[Command, ...]:
        return self._commands.open()

    def knows(self, command_ids: Collection[str]) -> bool:
        """True when all of these were received, whatever became of them."""
        return self._commands.knows(command_ids)

    def acknowledge(self, ack: Acknowledgement) -> None:
        self._commands.acknowledge(ack)

    def unsent_acks(self) -> tuple[Acknowledgement, ...]:
        return self._commands.unsent()

    def ack_sent(self, ack: Acknowledgement) -> None:
        self._commands.sent(ack)

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

    def _observation(self, body: bytes) -> fleet_pb2.RegionObservation:
        return self._file.decoded(fleet_pb2.RegionObservation.FromString, body)
