"""The example of a dispatching gateway in the docs, against an agent's local API."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from heliostat.v1 import common_pb2
from heliostat.v1 import dispatch_pb2 as pb
from services.agent.agent import Agent
from tests.support.dispatching import an_endpoint
from tests.support.dispatching_agent import StandingReplicas, a_dispatching_agent
from tests.support.examples import example_module
from tests.support.waiting import until


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return example_module("dispatch_client")


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    async with a_dispatching_agent(tmp_path, StandingReplicas([an_endpoint(0)])) as agent:
        yield agent


async def test_the_example_serves_its_requests_and_says_how_they_ended(
    agent: Agent, example: ModuleType
) -> None:
    room = agent.room
    assert room is not None
    served: list[str] = []
    told: dict[str, str | None] = {}

    def serve(request_id: str, place: pb.PlacedDecision) -> tuple[int, float, float]:
        served.append(place.address)
        if request_id == "fails":
            raise OSError
        return 100, 0.2, 3.0

    def tell(request_id: str, decision: pb.DispatchDecision) -> None:
        told[request_id] = decision.WhichOneof("outcome")

    def dispatch() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
            gateway: Any = example.Dispatching(channel, "gw", serve, tell)
            running = threading.Thread(target=_run, args=(gateway,))
            running.start()
            for name, model, tier in (
                ("r", "alpha", common_pb2.TIER_INTERACTIVE_FAST),
                ("b", "alpha", common_pb2.TIER_BATCH),
                ("fails", "alpha", common_pb2.TIER_INTERACTIVE_FAST),
                ("wrong", "gamma", common_pb2.TIER_INTERACTIVE_FAST),
            ):
                gateway.ask(
                    pb.DispatchAsk(request_id=name, model=model, tier=tier, input_tokens=100)
                )
            while gateway.open_asks and running.is_alive():
                running.join(0.02)
            gateway.say.put(None)
            running.join()
            for thread in threading.enumerate():
                if thread.name.endswith("(forward)"):
                    thread.join()

    await asyncio.to_thread(dispatch)
    assert told == {"wrong": "refused"}
    assert served == [an_endpoint(0).address] * 3
    assert (room.tally.counts.finished, room.tally.counts.given_up) == (2, 1)
    assert room.booked == room.batch_waiting == 0


async def test_what_is_asked_before_and_between_streams_is_served(
    tmp_path: Path, example: ModuleType
) -> None:
    served: list[str] = []

    def serve(request_id: str, place: pb.PlacedDecision) -> tuple[int, float, float]:
        served.append(request_id)
        return 100, 0.2, 3.0

    def an_ask(name: str) -> pb.DispatchAsk:
        batch = common_pb2.TIER_BATCH
        return pb.DispatchAsk(request_id=name, model="alpha", tier=batch, input_tokens=100)

    async with a_dispatching_agent(tmp_path, StandingReplicas()) as agent:
        api = f"127.0.0.1:{agent.local_port}"
        channel = grpc.insecure_channel(api)
        gateway: Any = example.Dispatching(channel, "gw", serve, print)
        gateway.ask(an_ask("before"))
        running = asyncio.create_task(asyncio.to_thread(_run, gateway))
        room = agent.room
        assert room is not None
        await until(lambda: room.batch_waiting == 1)
    await running
    gateway.ends["old"] = pb.Completion(request_id="old", outcome=pb.COMPLETION_OUTCOME_FINISHED)
    gateway.complete()
    assert "old" in gateway.ends, "nobody was there to hear of it"
    for number in range(1_000):
        gateway.ask(an_ask(f"between-{number}"))
    replica = StandingReplicas([an_endpoint(0)])
    async with a_dispatching_agent(tmp_path, replica, local_listen=api):
        while gateway.ends:
            if running.done():  # as long as the channel backs off
                running = asyncio.create_task(asyncio.to_thread(_run, gateway))
            await asyncio.wait({running}, timeout=0.1)
        await until(lambda: "before" in served)
        gateway.say.put(None)
        await running
    channel.close()


def _run(gateway: Any) -> None:
    with contextlib.suppress(grpc.RpcError):
        gateway.run()
