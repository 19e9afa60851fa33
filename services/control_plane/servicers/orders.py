"""FleetService for agents: hands them commands, takes their words and what they observe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from heliostat.errors import InvalidInput, UnknownCommand
from heliostat.model.command import ENDED_STATES, Command, CommandState
from heliostat.model.holding import AgentLife
from heliostat.model.names import RegionName
from heliostat.v1 import fleet_pb2
from services.control_plane.desk import Desk
from services.control_plane.region_holds import speak
from services.identity import caller
from services.translation.commands import command_to_wire, word_from_wire
from services.translation.fields import required, required_text
from services.translation.fleet import observation_from_wire
from services.translation.holds import life_from_wire
from services.translation.names import known_region
from storage.notify import Topic

_TAKEN_AWAY = (CommandState.CANCELLED, CommandState.EXPIRED)
"""Ends that an agent may not know of while it is connected, because they were decided elsewhere."""


class AgentConversation:
    """The agents' part of the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def WatchCommands(
        self, request: fleet_pb2.WatchCommandsRequest, context: Any
    ) -> AsyncIterator[fleet_pb2.WatchCommandsResponse]:
        region = known_region("region", request.region, self._desk.catalogue)
        caller().speak_for(region)
        agent = required_text("agent_id", request.agent_id)
        life = life_from_wire("agent", request.agent) if request.HasField("agent") else None
        held = dict.fromkeys(request.open_command_ids, 0)
        # While it was away another agent may have carried out what it holds, or its journal was set back.
        ends = ENDED_STATES
        beat = self._desk.command_lease.total_seconds() / 3
        while True:
            seen = self._desk.bells.count(Topic.COMMANDS)
            news = await self._news(region, agent, life, held, ends)
            ends = _TAKEN_AWAY
            yield fleet_pb2.WatchCommandsResponse(commands=[command_to_wire(c) for c in news])
            for command in news:
                held[command.command_id] = command.revision
                if command.state.ended:
                    del held[command.command_id]
            await self._desk.bells.changed(Topic.COMMANDS, seen=seen, at_most=beat)

    async def AcknowledgeCommand(
        self, request: fleet_pb2.AcknowledgeCommandRequest, context: Any
    ) -> fleet_pb2.AcknowledgeCommandResponse:
        ack = word_from_wire(request)
        known_region("region", ack.region, self._desk.catalogue)
        caller().speak_for(ack.region)
        # A clock that runs ahead must not hold up how a command ended.
        now = self._desk.clock.now()
        ack = replace(ack, at=min(ack.at, now))
        life = life_from_wire("agent", request.agent) if request.HasField("agent") else None
        author = str(caller())

        def keep() -> Command:
            if life is not None:
                self._speak(ack.region, life, author, now)
            return self._desk.loop.acknowledge(ack, now)

        command = await self._desk.threads.write(keep)
        self._desk.metrics.decisions.labels("acknowledge", ack.state).inc()
        return fleet_pb2.AcknowledgeCommandResponse(command=command_to_wire(command))

    async def ReportFleet(
        self, request: fleet_pb2.ReportFleetRequest, context: Any
    ) -> fleet_pb2.ReportFleetResponse:
        path = required("", request, "observation")
        observation = observation_from_wire(path, request.observation, self._desk.catalogue)
        caller().speak_for(observation.region)
        self._not_ahead("observation.observed_at", observation.observed_at)
        for number, sample in enumerate(observation.lead_times):
            self._not_ahead(f"observation.lead_times[{number}].ready_at", sample.ready_at)
        life = life_from_wire("agent", request.agent) if request.HasField("agent") else None
        author, now = str(caller()), self._desk.clock.now()

        def keep() -> bool:
            self._speak(observation.region, life, author, now)
            return self._desk.stores.fleet.observe(observation, now)

        newest = await self._desk.threads.write(keep)
        return fleet_pb2.ReportFleetResponse(newest=newest)

    def _speak(
        self, region: RegionName, life: AgentLife | None, author: str, now: datetime
    ) -> None:
        """In the writing thread. Raises RegionHeld while another agent speaks for the region."""
        speak(
            self._desk.stores,
            region,
            life,
            author=author,
            now=now,
            lease=self._desk.command_lease,
        )

    async def _news(
        self,
        region: RegionName,
        agent: str,
        life: AgentLife | None,
        held: dict[str, int],
        ends: Collection[CommandState],
    ) -> Sequence[Command]:
        """Lease what the region has, and find what changed, or came to one of these ends, since the agent
        heard of it. What another agent's lease still covers is held on to: it may come to its end yet."""
        outbox, now, lease = (
            self._desk.stores.outbox,
            self._desk.clock.now(),
            self._desk.command_lease,
        )
        self._desk.leader.epoch()

        author = str(caller())

        def look() -> tuple[Sequence[Command], Sequence[Command]]:
            self._speak(region, life, author, now)
            leased = outbox.lease(region, agent, now, lease)
            open_ids = {command.command_id for command in leased}
            others = (_found(outbox.command, name) for name in held if name not in open_ids)
            return leased, [command for command in others if command is not None]

        leased, others = await self._desk.threads.write(look)
        for name in held.keys() - {c.command_id for c in (*leased, *others)}:
            del held[name]
        for command in others:
            if command.state.ended and command.state not in ends:
                del held[command.command_id]
        told = (*(c for c in others if c.state in ends), *leased)
        news = (c for c in told if held.get(c.command_id) != c.revision)
        return sorted(news, key=lambda command: command.command_id)

    def _not_ahead(self, path: str, at: datetime) -> None:
        """Raises InvalidInput for instants in the future: they would outlast what comes after."""
        if at > self._desk.clock.now() + self._desk.usage_limits.ahead:
            raise InvalidInput(path, f"{at.isoformat()} is in the future", remedy="set the clock")


def _found(look: Callable[[str], Command], command_id: str) -> Command | None:
    try:
        return look(command_id)
    except UnknownCommand:
        return None
