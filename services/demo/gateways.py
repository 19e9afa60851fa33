"""A gateway in every region: dispatches a sample of its requests through the agent's DispatchService.

The sample rides on the day and changes nothing of it: where a request goes is the dispatcher's decision,
by the gauges of the simulated engines; how long it waits there is drawn from what the engines' own
requests waited in the same minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from grpc import aio

from heliostat.model.names import RegionName, Tier
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from services.agent.agent import Agent
from services.dashboard.picture import DispatchDay
from services.demo.bootstrap import Cast
from services.demo.sampling import SampledRequest, Sampler
from services.translation.enums import TIER
from simulation.arrivals import ArrivalRates

if TYPE_CHECKING:
    from heliostat.v1.dispatch_pb2_grpc import DispatchServiceAsyncStub

ONE_IN = timedelta(minutes=2)
"""How much of the day passes between two sampled requests of a region."""
_APART_SECONDS = 1.0
"""Those of a step ask so long after each other, while its gauges are fresh."""
_GATEWAY = "demo"


class SampledGateway:
    """One region's; a step completes what was placed a step ago, then asks for what is new."""

    def __init__(
        self,
        cast: Cast,
        agent: Agent,
        sampler: Sampler,
        chance: np.random.Generator,
        api: DispatchServiceAsyncStub,
    ) -> None:
        self._waits = cast.waits[agent.region]
        self._moments = cast.moments[agent.region]
        self._agent = agent
        self._sampler = sampler
        self._chance = chance
        self._api = api
        self._stream = api.Dispatch()
        self._number = 0
        self._open: dict[str, tuple[pb.DispatchAsk, SampledRequest]] = {}
        self._placed: dict[str, float | None] = {}
        self._asks: list[pb.DispatchAsk] = []
        self._heard: dict[str, int] = {}
        self.sent_on: list[tuple[RegionName, pb.DispatchAsk, SampledRequest]] = []
        """What goes to another region's gateway."""
        self._waited: list[tuple[float, float]] = []
        self._completed = 0

    async def step(self, now: datetime, length: timedelta) -> None:
        """Until everything that was asked is answered."""
        room = self._agent.room
        assert room is not None  # the demo's agents dispatch
        await room.warm()
        self._moments.into_step = 0.0
        await self._complete()
        await room.beat()
        while room.taking_in:
            await room.beat()
        for sampled in self._sampler.draw(now, round(length / ONE_IN)):
            self._number += 1
            name = f"{self._agent.region}-{self._number}"
            self.take(_ask(name, sampled), sampled)
        asks, self._asks = self._asks, []
        for ask in asks:
            await self._ask(ask)
            self._moments.into_step += _APART_SECONDS

    def take(self, ask: pb.DispatchAsk, sampled: SampledRequest) -> None:
        """Ask for this one in the next step, or in this one if it has not begun to ask."""
        self._open[ask.request_id] = (ask, sampled)
        self._asks.append(ask)

    def day(self) -> DispatchDay:
        """What came of it so far."""
        expected, simulated = zip(*self._waited, strict=True) if self._waited else ((), ())
        return DispatchDay(
            dispatched=self._heard.get("placed", 0),
            queued=self._heard.get("queued", 0),
            other_region=self._heard.get("other_region", 0),
            shed=self._heard.get("shed", 0),
            completed=self._completed,
            judged=len(self._waited),
            expected_ttft_seconds=_mean(expected),
            simulated_ttft_seconds=_mean(simulated),
        )

    async def _complete(self) -> None:
        ends = []
        for name, expected in self._placed.items():
            _, sampled = self._open.pop(name)
            ttft = self._waits.ttft_seconds(sampled.model, sampled.tier, self._chance)
            # Of batch work the engines tell how long it waited in all, also before it was placed.
            judged = sampled.tier is not Tier.BATCH
            if judged and expected is not None and ttft is not None:
                self._waited.append((expected, ttft))
            ends.append(
                pb.Completion(
                    request_id=name,
                    outcome=pb.COMPLETION_OUTCOME_FINISHED,
                    output_tokens=sampled.output_tokens,
                    ttft_seconds=ttft,
                )
            )
        self._placed.clear()
        if ends:
            request = pb.CompleteRequest(gateway_id=_GATEWAY, completions=ends)
            self._completed += (await self._api.Complete(request)).closed

    async def _ask(self, ask: pb.DispatchAsk) -> None:
        """Decisions come in order: those on earlier asks before the one on this."""
        await self._stream.write(pb.DispatchRequest(gateway_id=_GATEWAY, asks=[ask]))
        answered = False
        while not answered:
            answer = await self._stream.read()
            assert isinstance(answer, pb.DispatchResponse)  # the stream ends with the demo
            for decision in answer.decisions:
                answered |= decision.request_id == ask.request_id
                self._hear(decision)

    def _hear(self, decision: pb.DispatchDecision) -> None:
        kind, name = decision.WhichOneof("outcome") or "", decision.request_id
        self._heard[kind] = self._heard.get(kind, 0) + 1
        ask, sampled = self._open[name]
        match kind:
            case "placed":
                place = decision.placed
                known = place.HasField("expected_ttft_seconds")
                self._placed[name] = place.expected_ttft_seconds if known else None
            case "withdrawn":
                self._placed.pop(name, None)
                if not decision.withdrawn.queued_again:
                    ask.attempt = decision.attempt + 1
                    self._asks.append(ask)
            case "queued":
                pass
            case _:
                del self._open[name]
                if kind == "other_region":
                    ask.forwarded = True
                    region = RegionName(decision.other_region.region)
                    self.sent_on.append((region, ask, sampled))


class Gateways:
    """Those of all regions, one after the other, so that the same seed gives the same day."""

    def __init__(self, gateways: Mapping[RegionName, SampledGateway]) -> None:
        self._gateways = gateways
        self._until: datetime | None = None

    async def step(self, now: datetime) -> None:
        """Let all of them ask for what came since the step before; the first step only begins."""
        length = timedelta(0) if self._until is None else now - self._until
        self._until = now
        for gateway in self._gateways.values():
            await gateway.step(now, length)
            sent_on, gateway.sent_on = gateway.sent_on, []
            for region, ask, sampled in sent_on:
                self._gateways[region].take(ask, sampled)

    def day(self) -> DispatchDay:
        """What came of all samples so far."""
        return _together([gateway.day() for gateway in self._gateways.values()])


async def open_gateways(
    cast: Cast, agents: Iterable[Agent], day: ArrivalRates, seed: int, at_end: AsyncExitStack
) -> Gateways:
    """One per agent, connected to its local API."""
    found = {}
    for number, agent in enumerate(agents):
        chance = np.random.default_rng([seed, number])
        channel = await at_end.enter_async_context(
            aio.insecure_channel(f"127.0.0.1:{agent.local_port}")
        )
        sampler = Sampler(agent.region, day, chance)
        found[agent.region] = SampledGateway(
            cast, agent, sampler, chance, DispatchServiceStub(channel)
        )
    return Gateways(found)


def _ask(name: str, sampled: SampledRequest) -> pb.DispatchAsk:
    return pb.DispatchAsk(
        request_id=name,
        model=sampled.model,
        tier=TIER.to_wire(sampled.tier),
        input_tokens=sampled.input_tokens,
    )


def _mean(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None


def _together(days: Sequence[DispatchDay]) -> DispatchDay:
    judged = sum(day.judged for day in days)
    return DispatchDay(
        dispatched=sum(day.dispatched for day in days),
        queued=sum(day.queued for day in days),
        other_region=sum(day.other_region for day in days),
        shed=sum(day.shed for day in days),
        completed=sum(day.completed for day in days),
        judged=judged,
        expected_ttft_seconds=_weighted(days, "expected_ttft_seconds", judged),
        simulated_ttft_seconds=_weighted(days, "simulated_ttft_seconds", judged),
    )


def _weighted(days: Sequence[DispatchDay], name: str, judged: int) -> float | None:
    """The mean over all judged requests."""
    return (
        sum(day.judged * (getattr(day, name) or 0.0) for day in days) / judged if judged else None
    )
