"""Before the day: stores the history, sets the mode, starts the agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from grpc import aio

from heliostat.clock import monotonic_seconds
from heliostat.model.governance import Mode
from heliostat.model.names import EVERYWHERE
from heliostat.v1 import plan_pb2, plan_pb2_grpc
from services.agent.agent import Agent
from services.demo.backfill import back_fill
from services.demo.bootstrap import Cast, agent_of
from services.demo.voice import Voice
from services.translation.enums import MODE
from simulation.arrivals import ArrivalRates

REASON = "the demo shows Heliostat at work; its clouds are simulated"
_AGENT_GRACE_SECONDS = 0.5


async def remember(
    cast: Cast, history: ArrivalRates, voice: Voice, stopped: Callable[[], bool]
) -> None:
    """Store what happened before the day."""
    windows = sum(len(one) for one in history.by_demand.values())
    moved = voice.stage("storing history", windows)
    began = monotonic_seconds()
    stored = await asyncio.to_thread(
        back_fill,
        cast.plane.stores.usage,
        history,
        moved=lambda done: moved(done, f"{done:,} windows"),
        stopped=stopped,
    )
    voice.say(
        f"History: {history.span.length.days} days, {stored:,} usage windows "
        f"stored and rolled up in {monotonic_seconds() - began:.1f} s."
    )


async def activate(cast: Cast, voice: Voice) -> None:
    """Through the API, as an operator would: with a reason, under a name, audited."""
    async with aio.insecure_channel(cast.plane.address) as channel:
        answer = await plan_pb2_grpc.PlanServiceStub(channel).SetMode(
            plan_pb2.SetModeRequest(
                region=EVERYWHERE, mode=MODE.to_wire(Mode.ACTIVE), reason=REASON
            )
        )
    voice.say(f"Mode: active, set by {answer.setting.author} through the API.")


async def call_agents(cast: Cast, place: Path, at_end: AsyncExitStack) -> list[Agent]:
    """One agent per region, started; each ends with `at_end`."""
    agents = []
    for region in cast.catalogue.regions:
        agent = agent_of(cast, region.name, place)
        at_end.push_async_callback(agent.stop, _AGENT_GRACE_SECONDS)
        await agent.start()
        agents.append(agent)
    return agents
