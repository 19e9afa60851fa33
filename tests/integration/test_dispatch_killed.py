"""An agent killed at any moment: no batch request is lost, and none is placed twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import grpc
import pytest

from heliostat.v1 import common_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from tests.support.planes import a_channel
from tests.support.streams import heard

if TYPE_CHECKING:
    from grpc import aio

    from heliostat.v1.dispatch_pb2_grpc import DispatchServiceAsyncStub

    Stream = aio.StreamStreamCall[pb.DispatchRequest, pb.DispatchResponse]

ROOT = Path(__file__).parents[2]
REQUESTS, LIVES = 300, 5


class Agents:
    """Lives of one agent, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = 0

    def begin(self) -> str:
        """A new life; where it listens."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        pid, port = self._process.stdout.readline().split()
        self.pid = int(pid)
        return f"127.0.0.1:{port}"

    def kill(self) -> None:
        """At once, without a goodbye."""
        os.kill(self.pid, signal.SIGKILL)


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Agents]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.dispatching_agent", str(tmp_path), "8"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
    ) as process:
        agents = Agents(process)
        yield agents
        agents.kill()
        process.kill()


class Gateway:
    """Remembers what it asked for and heard; after a break it asks again for what has not ended."""

    def __init__(self) -> None:
        self.places: dict[str, set[tuple[int, str]]] = {f"b-{n}": set() for n in range(REQUESTS)}
        self.queued: set[str] = set()
        self.ended: set[str] = set()
        self.closed = 0

    async def live(self, address: str) -> None:
        """Ask, hear and complete until everything has ended, or the agent is gone."""
        async with a_channel(address) as channel:
            api: DispatchServiceAsyncStub = DispatchServiceStub(channel)
            stream = api.Dispatch()
            asking = asyncio.create_task(self._ask(stream))
            try:
                while len(self.ended) < REQUESTS:
                    await self._hear(api, await heard(stream))
            except grpc.RpcError:
                return  # it was killed
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                stream.cancel()

    async def _ask(self, stream: Stream) -> None:
        missing = sorted(set(self.places) - self.ended)
        for first in range(0, len(missing), 10):
            asks = [
                pb.DispatchAsk(
                    request_id=name,
                    model="alpha",
                    tier=common_pb2.TIER_BATCH,
                    input_tokens=200,
                    predicted_output_tokens=20,
                )
                for name in missing[first : first + 10]
            ]
            await stream.write(pb.DispatchRequest(gateway_id="gw", asks=asks))
            await asyncio.sleep(0.005)

    async def _hear(self, api: DispatchServiceAsyncStub, answer: pb.DispatchResponse) -> None:
        ends = []
        for decision in answer.decisions:
            name = decision.request_id
            match decision.WhichOneof("outcome"):
                case "queued":
                    self.queued.add(name)
                case "placed":
                    self.places[name].add((decision.attempt, decision.placed.replica_id))
                    ends.append(
                        pb.Completion(request_id=name, outcome=pb.COMPLETION_OUTCOME_FINISHED)
                    )
                case "ended":
                    self.ended.add(name)
                case other:
                    raise AssertionError(f"{name}: {other}")
        if ends:
            done = await api.Complete(pb.CompleteRequest(gateway_id="gw", completions=ends))
            assert done.unknown == 0
            assert not done.refused
            self.closed += done.closed
            self.ended.update(end.request_id for end in ends)


async def test_killed_again_and_again_every_batch_request_is_placed_once_and_ends(
    agents: Agents,
) -> None:
    gateway, chance = Gateway(), Random(7)
    for life in range(LIVES):
        living = asyncio.create_task(gateway.live(await asyncio.to_thread(agents.begin)))
        if life < LIVES - 1:
            await asyncio.wait({living}, timeout=0.2 + chance.random() * 0.4)
            agents.kill()
        await asyncio.wait_for(living, 60)
        assert life > 0 or len(gateway.ended) < REQUESTS, "nothing was left for the next life"
    assert len(gateway.ended) == REQUESTS
    assert {len(places) for places in gateway.places.values()} == {1}
    assert {attempt for places in gateway.places.values() for attempt, _ in places} == {1}
    assert gateway.closed <= REQUESTS
