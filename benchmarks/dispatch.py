"""Dispatch over gRPC: how long a gateway waits for a decision at 2,000 requests a second.

The agent runs in a process of its own over 1,000 replicas; the gateway runs here and shares its cores.
Requests arrive by chance (Poisson), those of two milliseconds travel in one message; each runs for two
seconds and is then completed, with all that ended in the same 50 ms. A decision's time is from the
arrival of its request to the answer in the gateway's hands, batching and gRPC included.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from grpc import aio

from benchmarks.figure import Benchmark, Figure
from benchmarks.wire_process import Plane, end
from heliostat.clock import cpu_seconds, monotonic_seconds
from heliostat.gc_tuning import collect_in_small_parts
from heliostat.v1 import common_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub

REPLICAS = 1_000
RATE = 2_000.0
SECONDS, WARM_UP_SECONDS = 20.0, 4.0
RUNS_SECONDS = 2.0
_COMPLETE_EVERY_SECONDS = 0.05
_GATHER_SECONDS = 0.002
_MOST_ASKS = 1_000
_MODEL = "llama2-70b"
_COMMAND = "make bench ARGS=dispatch"


@dataclass
class Gateway:
    """Asks, hears, and completes what ran long enough; keeps how long each decision took."""

    arrivals: np.ndarray[Any, np.dtype[np.float64]]
    tokens: np.ndarray[Any, np.dtype[np.int64]]
    began: float = 0.0
    waits: list[float] = field(default_factory=list)
    running: deque[tuple[float, str]] = field(default_factory=deque)
    outcomes: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, address: str) -> None:
        """The whole load, over one stream."""
        async with aio.insecure_channel(address) as channel:
            api = DispatchServiceStub(channel)
            stream = api.Dispatch()
            await stream.write(pb.DispatchRequest(gateway_id="bench"))
            self.began = monotonic_seconds() + 0.1
            hearing = asyncio.create_task(self._hear(stream))
            ending = asyncio.create_task(self._complete(api))
            await self._ask(stream)
            async with asyncio.timeout(10 * RUNS_SECONDS):
                await self.over.wait()
            for task in (hearing, ending):
                task.cancel()
            await asyncio.gather(hearing, ending, return_exceptions=True)
            stream.cancel()

    async def _ask(self, stream: Any) -> None:
        place, arrivals, tokens = 0, self.arrivals, self.tokens
        while place < len(arrivals):
            rest = self.began + arrivals[place] - monotonic_seconds()
            await asyncio.sleep(max(rest, _GATHER_SECONDS))
            until = int(np.searchsorted(arrivals, monotonic_seconds() - self.began, side="right"))
            until = min(until, place + _MOST_ASKS)
            if until == place:
                continue
            asks = [
                pb.DispatchAsk(
                    request_id=str(number),
                    model=_MODEL,
                    tier=common_pb2.TIER_INTERACTIVE_NORMAL,
                    input_tokens=int(tokens[number]),
                    predicted_output_tokens=150.0,
                )
                for number in range(place, until)
            ]
            await stream.write(pb.DispatchRequest(asks=asks))
            place = until

    async def _hear(self, stream: Any) -> None:
        while True:
            answer = await stream.read()
            now = monotonic_seconds()
            for decision in answer.decisions:
                outcome = decision.WhichOneof("outcome")
                self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
                arrived = float(self.arrivals[int(decision.request_id)])
                if arrived >= WARM_UP_SECONDS:
                    self.waits.append(now - self.began - arrived)
                if outcome == "placed":
                    self.running.append((now + RUNS_SECONDS, decision.request_id))

    async def _complete(self, api: Any) -> None:
        while True:
            await asyncio.sleep(_COMPLETE_EVERY_SECONDS)
            now, ends = monotonic_seconds(), []
            while self.running and self.running[0][0] <= now:
                _, name = self.running.popleft()
                ends.append(
                    pb.Completion(
                        request_id=name,
                        outcome=pb.COMPLETION_OUTCOME_FINISHED,
                        output_tokens=150,
                        ttft_seconds=0.2,
                    )
                )
            if ends:
                await api.Complete(pb.CompleteRequest(gateway_id="bench", completions=ends))
            self.ended += len(ends)
            if self.ended == self.outcomes.get("placed", 0) and now - self.began > SECONDS:
                self.over.set()


@contextmanager
def an_agent() -> Iterator[Plane]:
    """An agent that runs until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.dispatch_agent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    agent = Plane(process)
    try:
        agent.address = agent.ask(json.dumps({"model": _MODEL, "replicas": REPLICAS}))["address"]
        yield agent
    finally:
        end(process)


def decisions_over_grpc() -> Iterator[Figure]:
    """2,000 requests a second for sixteen seconds, after four of warming up."""
    rng = np.random.default_rng(1)
    arrivals = np.cumsum(rng.exponential(1 / RATE, int(RATE * (SECONDS + 1))))
    arrivals = arrivals[arrivals < SECONDS]
    tokens = np.clip(rng.lognormal(6.5, 0.8, len(arrivals)), 1, 8000).astype(np.int64)
    gateway, cpu = Gateway(arrivals, tokens), cpu_seconds()
    with an_agent() as agent:
        collect_in_small_parts()
        asyncio.run(gateway.run(agent.address))
        after = agent.ask("counts")
    here = cpu_seconds() - cpu
    served = after["cpu_seconds"]
    counts = after["counts"]
    placed = counts["placed_by_signals"]
    if placed < 0.9 * len(arrivals) or after["booked"]:
        raise RuntimeError(f"not what was to be measured: {after}, {gateway.outcomes}")
    waits = np.array(gateway.waits) * 1000
    note = (
        f"{REPLICAS:,} replicas, {len(waits):,} decisions, {placed:,} placed by signals; "
        f"p50 {np.quantile(waits, 0.5):.1f} ms, p99.9 {np.quantile(waits, 0.999):.1f} ms; "
        f"{1e6 * served / len(arrivals):.0f} µs of the agent's CPU a request, its end included"
    )
    yield Figure(
        name="dispatch decision over gRPC at 2,000 requests/s, p99",
        value=float(np.quantile(waits, 0.99)),
        unit="ms",
        target=8.0,
        command=_COMMAND,
        cpu_seconds=served + here,
        note=note,
    )


BENCHMARKS: tuple[Benchmark, ...] = (decisions_over_grpc,)
