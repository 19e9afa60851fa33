"""FleetService for people and tools: shows the fleet, takes orders, lists and cancels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from heliostat.loops.manual import ManualOrder
from heliostat.model.command import Command, Order, ScaleOrder
from heliostat.model.fleet import Fleet
from heliostat.model.governance import Override
from heliostat.model.instants import to_epoch
from heliostat.v1 import fleet_pb2, fleet_pb2_grpc
from services.control_plane.servicers.orders import AgentConversation
from services.identity import caller
from services.translation.commands import command_to_wire, override_to_wire, redeploy_from_wire
from services.translation.enums import COMMAND_STATE
from services.translation.fields import (
    instant_from_wire,
    required,
    required_text,
    span_from_wire,
)
from services.translation.fleet import fleet_to_wire
from services.translation.names import known_pool, known_region, known_regions
from services.translation.pages import page_of
from storage.notify import Topic

POLL_SECONDS = 2.0
_ALL_SECONDS = 10**12 - 1
"""More than any instant's seconds since 1970."""
_NEWS_OF_A_COMMAND = (Topic.COMMANDS, Topic.WORDS)


class FleetServicer(AgentConversation, fleet_pb2_grpc.FleetServiceServicer):
    """Serves the conversation; the agents' part is inherited."""

    async def GetFleet(
        self, request: fleet_pb2.GetFleetRequest, context: Any
    ) -> fleet_pb2.GetFleetResponse:
        regions = known_regions("regions", request.regions, self._desk.catalogue)
        now = self._desk.clock.now()

        def look() -> fleet_pb2.GetFleetResponse:
            fleet = self._fleet(now)
            if regions:
                fleet = replace(
                    fleet,
                    pools=tuple(s for s in fleet.pools if s.observation.pool.region in regions),
                    replicas=tuple(r for r in fleet.replicas if r.pool.region in regions),
                    denials=tuple(d for d in fleet.denials if d.region in regions),
                    paused_agents=fleet.paused_agents & regions,
                    reports=tuple(r for r in fleet.reports if r.region in regions),
                )
            pools = [state.observation.pool for state in fleet.pools]
            etags = self._desk.manual.pool_etags(pools, now)
            names = regions or [region.name for region in self._desk.catalogue.regions]
            holds = (self._desk.stores.fleet.hold(name) for name in sorted(names))
            return fleet_to_wire(fleet, etags, [hold for hold in holds if hold is not None])

        return await self._desk.threads.read(look)

    async def ScalePool(
        self, request: fleet_pb2.ScalePoolRequest, context: Any
    ) -> fleet_pb2.ScalePoolResponse:
        required("", request, "target_replicas")
        pool = known_pool(required("", request, "pool"), request.pool, self._desk.catalogue)
        order = ScaleOrder(pool=pool, target_replicas=request.target_replicas)
        command, overrides = await self._order(order, request)
        return fleet_pb2.ScalePoolResponse(
            command=command_to_wire(command), overrides=[override_to_wire(o) for o in overrides]
        )

    async def RedeployPool(
        self, request: fleet_pb2.RedeployPoolRequest, context: Any
    ) -> fleet_pb2.RedeployPoolResponse:
        path = required("", request, "order")
        order = redeploy_from_wire(path, request.order, self._desk.catalogue)
        command, overrides = await self._order(order, request)
        return fleet_pb2.RedeployPoolResponse(
            command=command_to_wire(command), overrides=[override_to_wire(o) for o in overrides]
        )

    async def ListOverrides(
        self, request: fleet_pb2.ListOverridesRequest, context: Any
    ) -> fleet_pb2.ListOverridesResponse:
        region = request.region
        if region:
            known_region("region", region, self._desk.catalogue)
        page = page_of(request, default=100, limit=1000)
        now = self._desk.clock.now()
        overrides = await self._desk.threads.read(
            lambda: self._desk.stores.overrides.overrides(now)
        )
        place = _place_by_age if request.newest_first else _place_by_pool
        found = sorted((o for o in overrides if region in ("", o.pool.region)), key=place)
        rest = [override for override in found if place(override) > page.after]
        shown, token = page.cut(rest, place)
        return fleet_pb2.ListOverridesResponse(
            overrides=[override_to_wire(override) for override in shown],
            next_page_token=token,
            total_size=len(found),
        )

    async def CancelOverride(
        self, request: fleet_pb2.CancelOverrideRequest, context: Any
    ) -> fleet_pb2.CancelOverrideResponse:
        override_id = required_text("override_id", request.override_id)
        now, author, epoch = self._desk.clock.now(), str(caller()), self._desk.leader.epoch()
        override = await self._desk.threads.write(
            lambda: self._desk.stores.overrides.cancel_override(
                override_id, author=author, now=now, epoch=epoch
            )
        )
        return fleet_pb2.CancelOverrideResponse(override=override_to_wire(override))

    async def ListCommands(
        self, request: fleet_pb2.ListCommandsRequest, context: Any
    ) -> fleet_pb2.ListCommandsResponse:
        region = None
        if request.region:
            region = known_region("region", request.region, self._desk.catalogue)
        states = [
            COMMAND_STATE.from_wire(f"states[{i}]", state) for i, state in enumerate(request.states)
        ]
        created = None
        if request.HasField("created"):
            created = span_from_wire("created", request.created)
        page = page_of(request, default=100, limit=1000)
        outbox = self._desk.stores.outbox

        def look() -> tuple[tuple[Command, ...], int]:
            found = outbox.commands(
                region=region,
                states=states,
                created=created,
                newest_first=request.newest_first,
                after_id=page.after,
                limit=page.size + 1,
            )
            return found, outbox.count(region=region, states=states, created=created)

        commands, total = await self._desk.threads.read(look)
        shown, token = page.cut(commands, lambda command: command.command_id)
        return fleet_pb2.ListCommandsResponse(
            commands=[command_to_wire(command) for command in shown],
            next_page_token=token,
            total_size=total,
        )

    async def GetCommand(
        self, request: fleet_pb2.GetCommandRequest, context: Any
    ) -> fleet_pb2.GetCommandResponse:
        command = await self._command(request.command_id)
        return fleet_pb2.GetCommandResponse(command=command_to_wire(command))

    async def WatchCommand(
        self, request: fleet_pb2.WatchCommandRequest, context: Any
    ) -> AsyncIterator[fleet_pb2.WatchCommandResponse]:
        revision = 0
        while True:
            seen = self._desk.bells.count(*_NEWS_OF_A_COMMAND)
            command = await self._command(request.command_id)
            if command.revision != revision:
                revision = command.revision
                yield fleet_pb2.WatchCommandResponse(command=command_to_wire(command))
            if command.state.ended:
                return
            await self._desk.bells.changed(*_NEWS_OF_A_COMMAND, seen=seen, at_most=POLL_SECONDS)

    async def CancelCommand(
        self, request: fleet_pb2.CancelCommandRequest, context: Any
    ) -> fleet_pb2.CancelCommandResponse:
        command_id = required_text("command_id", request.command_id)
        now, author, epoch = self._desk.clock.now(), str(caller()), self._desk.leader.epoch()
        command = await self._desk.threads.write(
            lambda: self._desk.stores.outbox.cancel(
                command_id, etag=request.etag, author=author, now=now, epoch=epoch
            )
        )
        return fleet_pb2.CancelCommandResponse(command=command_to_wire(command))

    async def _order(
        self, order: Order, request: fleet_pb2.ScalePoolRequest | fleet_pb2.RedeployPoolRequest
    ) -> tuple[Command, tuple[Override, ...]]:
        """Place a manual order; what it set as overrides comes with it."""
        manual = ManualOrder(
            order=order,
            author=str(caller()),
            reason=required_text("reason", request.reason),
            request_id=request.request_id and required_text("request_id", request.request_id),
            expires_at=instant_from_wire(required("", request, "expires_at"), request.expires_at),
            etag=request.etag,
            validate_only=request.validate_only,
        )
        now, epoch = self._desk.clock.now(), self._desk.leader.epoch()

        def place() -> tuple[Command, tuple[Override, ...]]:
            command = self._desk.manual.order(manual, now, epoch=epoch)
            if manual.validate_only:
                return command, ()
            overrides = self._desk.stores.overrides.overrides(now)
            return command, tuple(o for o in overrides if o.request_id == manual.request_id)

        return await self._desk.threads.write(place)

    async def _command(self, command_id: str) -> Command:
        wanted = required_text("command_id", command_id)
        return await self._desk.threads.read(lambda: self._desk.stores.outbox.command(wanted))

    def _fleet(self, now: datetime) -> Fleet:
        """Every pool of the catalogue, including unreported ones."""
        fleet = self._desk.loop.situation.fleet(now)
        return replace(
            fleet, pools=tuple(fleet.state(pool.key) for pool in self._desk.catalogue.pools)
        )


def _place_by_pool(override: Override) -> str:
    return str(override.pool)


def _place_by_age(override: Override) -> str:
    """Sorts newest first: the younger, the less is left of all the seconds that there are."""
    return f"{_ALL_SECONDS - to_epoch(override.created_at):012d} {override.pool}"
