"""Placing and scaling are one: what engines were seen to do reaches the plan."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from heliostat.clock import SystemClock
from planning.planner import HeliostatPlanner
from scheduling.sizing.served import ServedByPlacement
from services.agent.dispatch.laws import LEAST_SEEN
from services.agent.drivers.vm.cloud import EngineReading, EngineWork
from tests.builders import MINUTE
from tests.planning.worlds import a_problem
from tests.support.dispatching import an_endpoint
from tests.support.dispatching_agent import StandingReplicas, a_dispatching_agent
from tests.support.planes import World, a_world

SLOW = EngineWork(span_seconds=10.0, gaps=2000.0, gap_seconds=80.0)


async def _reported(world: World) -> None:
    while True:
        if world.stores.fleet.fleet(world.clock.now()).laws:
            return
        await asyncio.sleep(0.02)


async def test_a_law_that_an_agent_refitted_is_what_the_plan_counts_by(tmp_path: Path) -> None:
    reading = EngineReading(
        healthy=True, running_requests=8, waiting_requests=0, kv_occupancy=0.1, work=SLOW
    )
    driver = StandingReplicas([an_endpoint(0)], reading)
    async with a_world(at=SystemClock().now() + MINUTE) as world:
        planes = (world.plane.address,)
        async with a_dispatching_agent(tmp_path, driver, tick_seconds=0.02, control_planes=planes):
            await _reported(world)
            (law,) = world.stores.fleet.fleet(world.clock.now()).laws
    assert law.pool == an_endpoint(0).pool
    assert law.iterations >= LEAST_SEEN
    problem = a_problem(8.0)
    planner = HeliostatPlanner(stopwatch=lambda: 0.0, served=ServedByPlacement())
    plan = planner.plan(replace(problem, fleet=replace(problem.fleet, laws=(law,))))
    reasons = [target.reason.summary for target in plan.targets if target.pool == law.pool]
    assert "refitted in east" in reasons[0]
