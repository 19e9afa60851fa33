"""A dispatch room whose clock, replicas and routes a test sets by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.model.dispatch import (
    Completion,
    CompletionOutcome,
    DispatchAsk,
    DispatchDecision,
    Outcome,
    Placed,
)
from heliostat.model.fleet import ReplicaEndpoint
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RegionIngress, RouteEntry, RouteShare, RoutingTable
from services.agent.dispatch.bootstrap import build_room
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.service import DispatchRoom
from services.agent.dispatch.sight import Sight
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.journal.batch_box import BatchBox
from services.agent.settings import DispatchSettings
from tests.builders import MINUTE, NOON, a_catalogue, a_pool
from tests.support.agents import EAST, AgentDisk

ALPHA, WEST = ModelName("alpha"), RegionName("west")
FAST, NORMAL, BATCH = Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL, Tier.BATCH
IDLE = EngineReading(healthy=True, running_requests=0, waiting_requests=0, kv_occupancy=0.0)
FULL = EngineReading(healthy=True, running_requests=64, waiting_requests=200, kv_occupancy=0.99)
SILENT = EngineReading(healthy=True)
NOBODY_WAITS = -1.0


@dataclass
class Sky:
    """What can be seen, until something else is shown. Implements Sights."""

    latest: Sight | None = None


def an_endpoint(number: int = 0, **changes: Any) -> ReplicaEndpoint:
    values: dict[str, Any] = {
        "replica_id": f"vm-{number}",
        "pool": a_pool(),
        "address": f"10.0.0.{number}:8000",
    }
    return ReplicaEndpoint(**(values | changes))


def an_ask(name: str = "r-1", **changes: Any) -> DispatchAsk:
    values: dict[str, Any] = {
        "request_id": name,
        "model": ALPHA,
        "tier": FAST,
        "input_tokens": 500,
        "predicted_output_tokens": 100.0,
    }
    return DispatchAsk(**(values | changes))


def an_end(
    name: str = "r-1", outcome: CompletionOutcome = CompletionOutcome.FINISHED, **changes: Any
) -> Completion:
    return Completion(request_id=name, outcome=outcome, **changes)


def a_table(
    serving: RegionName = EAST,
    *,
    shed_ppm: int = 0,
    fallback: Sequence[RegionName] = (),
    replicas: Sequence[ReplicaEndpoint] = (),
) -> RoutingTable:
    """Everything of alpha goes to one region but for what is shed."""
    share = RouteShare(
        serving=serving, weight_ppm=MILLION - shed_ppm, ingress_endpoint=f"gw.{serving}:8443"
    )
    return RoutingTable(
        origin=EAST,
        valid_from=NOON,
        stale_after=5 * MINUTE,
        version="7",
        entries=tuple(
            RouteEntry(
                model=ALPHA,
                tier=tier,
                shares=(share,),
                shed_ppm=shed_ppm,
                fallback=tuple(fallback),
            )
            for tier in Tier
        ),
        replicas=tuple(replicas),
        ingresses=(RegionIngress(region=WEST, ingress_endpoint="gw.west:8443"),),
    )


@dataclass
class Counter:
    """A room in a folder; opening it again is what a restart after kill -9 finds."""

    folder: Path
    settings: DispatchSettings = field(default_factory=DispatchSettings)
    catalogue: FleetCatalogue = field(default_factory=a_catalogue)
    sky: Sky = field(default_factory=Sky)
    table: RoutingTable | None = None
    seconds: float = NOON.timestamp()

    def __post_init__(self) -> None:
        self.disk = AgentDisk(self.folder, self.catalogue)
        self.room = self._opened()

    def _opened(self) -> DispatchRoom:
        self.file = self.disk.file()
        return build_room(
            self.settings,
            region=EAST,
            catalogue=self.catalogue,
            box=BatchBox(self.file),
            laws=PoolLaws(self.catalogue),
            sights=self.sky,
            table=lambda: self.table,
            seconds=lambda: self.seconds,
        )

    def restart(self) -> None:
        """What was in memory is gone, and nothing has been seen."""
        self.sky.latest = None
        self.room = self._opened()

    def close(self) -> None:
        self.disk.close()

    async def show(
        self,
        *endpoints: ReplicaEndpoint,
        reading: EngineReading = IDLE,
        readings: Mapping[str, EngineReading] | None = None,
    ) -> None:
        """These replicas stand, and measured that; the room has looked."""
        each = {endpoint.address: reading for endpoint in endpoints}
        self.sky.latest = Sight(at=self.seconds, endpoints=endpoints, readings=readings or each)
        await self.room.beat()

    async def wait(self, length: timedelta | float) -> None:
        """Let so much time pass, and beat at its end."""
        seconds = length.total_seconds() if isinstance(length, timedelta) else length
        self.seconds += seconds
        await self.room.beat()

    def ask(self, name: str = "r-1", gateway: str = "gw", **changes: Any) -> DispatchDecision:
        return self.room.decide(an_ask(name, **changes), gateway)

    def fill(self) -> tuple[list[str], str]:
        """Ask until one finds no place; who got one, and who waits."""
        placed: list[str] = []
        while isinstance(self.ask(name := f"r-{len(placed)}", tier=NORMAL).outcome, Placed):
            placed.append(name)
        return placed, name

    async def placed_when_these_end(self, names: Sequence[str], gateway: str = "gw") -> list[str]:
        """Who gets a place at the beat after that, the first first."""
        with self.room.stream(gateway) as box:
            for name in names:
                self.room.complete(an_end(name))
            await self.wait(0.01)
            box.close()
            return [one.request_id for one in await box.take() if isinstance(one.outcome, Placed)]

    async def ask_batch(
        self, *names: str, gateway: str = "gw", **changes: Any
    ) -> list[DispatchDecision]:
        asks = [an_ask(name, tier=BATCH, **changes) for name in names]
        return await self.room.take(asks, gateway)

    async def end_batch(self, *names: str) -> None:
        before = await self.room.end(dict.fromkeys(names, True))
        for name in names:
            if not before[name].ended:
                self.room.complete_batch(an_end(name))

    async def booked(self) -> dict[str, int]:
        """Requests booked on each replica."""
        view = await self.room.view()
        return {replica.replica_id: replica.booked_requests for replica in view.replicas}


def kinds(decisions: Sequence[DispatchDecision]) -> list[type[Outcome]]:
    return [type(decision.outcome) for decision in decisions]
