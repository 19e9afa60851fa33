"""Batch requests that wait at agents are what a plan of the policy `heliostat` holds capacity for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grpc import aio

from heliostat.clock import SteppedClock, SystemClock
from heliostat.model.fleet import BatchBacklog
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.v1 import common_pb2, fleet_pb2, plan_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from planning.house_policies import POOLED
from services.control_plane.bootstrap import parts_of
from services.control_plane.plane import ControlPlane
from services.translation.fields import instant_to_wire
from services.translation.fleet import fleet_from_wire
from services.translation.plans import plan_from_wire
from tests.builders import MINUTE, a_catalogue, catalogue_mapping
from tests.planning.worlds import all_keys, forecasts_of, with_totals
from tests.support.agents import EAST
from tests.support.dispatching_agent import StandingReplicas, a_dispatching_agent
from tests.support.planes import Client, a_channel, plane_settings
from tests.support.streams import heard

if TYPE_CHECKING:
    from heliostat.v1.dispatch_pb2_grpc import DispatchServiceAsyncStub

WEST = RegionName("west")
ALPHA = ModelName("alpha")
MANY = 9000


@asynccontextmanager
async def a_plane(place: Path, clock: SteppedClock) -> AsyncIterator[tuple[ControlPlane, Client]]:
    """A control plane as `heliostat serve` wires it, on its database in that folder."""
    catalogue = place / "catalogue.json"
    mapping = catalogue_mapping()
    mapping["pools"] = {**mapping["pools"], "min_replicas": 0}
    catalogue.write_text(json.dumps(mapping))
    database = f"sqlite:///{place / 'heliostat.db'}"
    settings = plane_settings(policy=POOLED, database=database, catalogue=catalogue)
    plane = ControlPlane(parts_of(settings, clock=clock), settings)
    await plane.start()
    try:
        async with a_channel(plane.address) as channel:
            yield plane, Client(channel)
    finally:
        await plane.stop()


def expect_much(plane: ControlPlane, clock: SteppedClock) -> None:
    """Forecast so much batch work of alpha that it needs replicas of its own, and little else."""
    rates = {
        key: 20.0 if (key.model, key.tier) == (ALPHA, Tier.BATCH) else 0.1
        for key in all_keys(a_catalogue())
    }
    forecasts = forecasts_of(with_totals(rates), issued_at=clock.now())
    plane.stores.forecasts.store(forecasts, epoch=plane.leader.epoch())


async def planned(client: Client) -> int:
    """Replicas of alpha in a plan of this instant."""
    answer = await client.plans.ProposePlan(plan_pb2.ProposePlanRequest())
    plan = plan_from_wire("plan", answer.plan)
    return sum(target.replicas for target in plan.targets if target.pool.model == ALPHA)


async def backlogs(client: Client) -> tuple[BatchBacklog, ...]:
    """What waits by all that is known now."""
    answer = await client.fleet.GetFleet(fleet_pb2.GetFleetRequest())
    return fleet_from_wire(answer).batch_backlog


async def reported(client: Client, *, requests: int) -> dict[RegionName, BatchBacklog]:
    """What waits of alpha, once both regions have said it and it is so many together."""
    while True:
        found = {one.region: one for one in await backlogs(client) if one.model == ALPHA}
        if len(found) == 2 and sum(one.requests for one in found.values()) == requests:
            return found
        await asyncio.sleep(0.02)


async def hand_over(channel: aio.Channel, clock: SteppedClock, number: int, count: int) -> None:
    """A gateway's batch requests, due in an hour; they wait, since no replica stands."""
    stub: DispatchServiceAsyncStub = DispatchServiceStub(channel)
    stream = stub.Dispatch()
    asks = [
        pb.DispatchAsk(
            request_id=f"b-{number}-{n}",
            model=ALPHA,
            tier=common_pb2.TIER_BATCH,
            input_tokens=500,
            complete_by=instant_to_wire(clock.now() + 60 * MINUTE),
            forwarded=True,
        )
        for n in range(count)
    ]
    await stream.write(pb.DispatchRequest(gateway_id="gw", asks=asks))
    answer = await heard(stream)
    assert {decision.WhichOneof("outcome") for decision in answer.decisions} == {"queued"}
    stream.cancel()


async def test_a_plan_holds_capacity_for_what_waits_and_by_forecast_where_that_is_not_known(
    tmp_path: Path,
) -> None:
    clock = SteppedClock(SystemClock().now() + MINUTE)
    async with a_plane(tmp_path, clock) as (plane, client), AsyncExitStack() as agents:
        expect_much(plane, clock)
        by_forecast = await planned(client)
        apis = []
        for region in (EAST, WEST):
            agent = await agents.enter_async_context(
                a_dispatching_agent(
                    tmp_path / region,
                    StandingReplicas(region=region),
                    control_planes=(plane.address,),
                )
            )
            api = a_channel(f"127.0.0.1:{agent.local_port}")
            apis.append(await agents.enter_async_context(api))
        await hand_over(apis[0], clock, 0, 1)
        await hand_over(apis[1], clock, 1, 1)
        await reported(client, requests=2)
        little_waits = await planned(client)
        for number in range(MANY // 1000):
            await hand_over(apis[0], clock, 2 + number, 1000)
        found = await reported(client, requests=MANY + 2)
        much_waits = await planned(client)
        assert (found[EAST].requests, found[WEST].requests) == (MANY + 1, 1)
        assert little_waits < much_waits < by_forecast
        await agents.aclose()
    async with a_plane(tmp_path, clock) as (plane, client):
        assert await planned(client) == much_waits, "the database kept what was reported"
        clock.advance_to(clock.now() + 10 * MINUTE)
        assert await backlogs(client) == ()
        assert await planned(client) == by_forecast, "what waited ten minutes ago is not known now"
