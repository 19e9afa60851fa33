"""An agent's memory that lasts as long as the object: what a simulated agent wakes up with after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from heliostat.model.command import Acknowledgement, Command, CommandState
from heliostat.model.fleet import RegionObservation
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import UsageBatch, UsageWindow, batch_of


class MemoryJournal:
    """Implements `heliostat.ports.agent.AgentJournal`; `source_id` names the gateways it speaks for."""

    def __init__(self, *, source_id: str, incarnation: int = 1) -> None:
        self._source_id = source_id
        self._incarnation = incarnation
        self._open: dict[str, Command] = {}
        self._ended: dict[str, Acknowledgement] = {}
        self._unsent_acks: dict[str, Acknowledgement] = {}
        self._sequence = 0
        self._unsent_usage: list[UsageBatch] = []
        self._observation: RegionObservation | None = None
        self._table: RoutingTable | None = None
        self.braked = False
        """The agent's brake; set it to pull or release it."""

    # --- commands ------------------------------------------------------------------------------

    def receive(self, commands: Sequence[Command]) -> None:
        for command in sorted(commands, key=lambda command: command.command_id):
            known = self._open.get(command.command_id)
            if command.command_id in self._ended:
                if not command.state.ended:
                    last_word = self._ended[command.command_id]
                    self._unsent_acks.setdefault(command.command_id, last_word)
                continue
            if known is None:
                if not command.state.ended or command.state is CommandState.CANCELLED:
                    self._open[command.command_id] = command
            elif not known.state.ended and command.state is not CommandState.EXPIRED:
                self._open[command.command_id] = replace(command, progress=known.progress)

    def open_commands(self) -> tuple[Command, ...]:
        return tuple(self._open.values())

    def acknowledge(self, ack: Acknowledgement) -> None:
        if ack.command_id in self._ended:
            return
        self._unsent_acks.pop(ack.command_id, None)
        self._unsent_acks[ack.command_id] = ack
        if ack.state.ended:
            self._ended[ack.command_id] = ack
            self._open.pop(ack.command_id, None)
        elif ack.command_id in self._open:
            known = self._open[ack.command_id]
            self._open[ack.command_id] = replace(known, progress=ack.progress)

    def unsent_acks(self) -> tuple[Acknowledgement, ...]:
        return tuple(self._unsent_acks.values())

    def ack_sent(self, ack: Acknowledgement) -> None:
        if self._unsent_acks.get(ack.command_id) == ack:
            del self._unsent_acks[ack.command_id]

    # --- usage ---------------------------------------------------------------------------------

    def append_usage(self, windows: Sequence[UsageWindow]) -> UsageBatch | None:
        if not windows:
            return None
        batch = batch_of(
            windows,
            source_id=self._source_id,
            incarnation=self._incarnation,
            sequence=self._sequence + 1,
        )
        self._sequence += 1
        self._unsent_usage.append(batch)
        return batch

    def unsent_usage(self, limit: int) -> tuple[UsageBatch, ...]:
        return tuple(self._unsent_usage[:limit])

    def usage_sent(self, incarnation: int, durable_sequence: int) -> None:
        if incarnation == self._incarnation:
            self._unsent_usage = [b for b in self._unsent_usage if b.sequence > durable_sequence]

    # --- fleet ---------------------------------------------------------------------------------

    def put_observation(self, observation: RegionObservation) -> None:
        unsent = () if self._observation is None else self._observation.lead_times
        fresh = tuple(sample for sample in observation.lead_times if sample not in unsent)
        self._observation = replace(observation, lead_times=(*unsent, *fresh))

    def unsent_observation(self) -> RegionObservation | None:
        return self._observation

    def observation_sent(self, observed_at: datetime) -> None:
        if self._observation is not None and self._observation.observed_at == observed_at:
            self._observation = None

    # --- routes and the brake ------------------------------------------------------------------

    def put_table(self, table: RoutingTable) -> None:
        self._table = table

    def table(self) -> RoutingTable | None:
        return self._table

    def paused(self) -> bool:
        return self.braked
