"""DispatchService at an agent's local API, as gateways find it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc import aio

from heliostat.errors import Forbidden, InvalidInput, UnknownModel
from heliostat.model.names import RegionName
from heliostat.v1 import common_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from services.agent.agent import Agent
from services.identity import Identity, Role
from services.translation.problems import error_of
from tests.support.agents import EAST
from tests.support.certificates import Authority
from tests.support.dispatching import an_endpoint
from tests.support.dispatching_agent import StandingReplicas, a_dispatching_agent
from tests.support.planes import a_channel
from tests.support.streams import heard
from tests.support.waiting import until

if TYPE_CHECKING:
    from heliostat.v1.dispatch_pb2_grpc import DispatchServiceAsyncStub

    Stream = aio.StreamStreamCall[pb.DispatchRequest, pb.DispatchResponse]

FAST, NORMAL = common_pb2.TIER_INTERACTIVE_FAST, common_pb2.TIER_INTERACTIVE_NORMAL
BATCH = common_pb2.TIER_BATCH


def an_ask(name: str, **changes: Any) -> pb.DispatchAsk:
    values: dict[str, Any] = {
        "request_id": name,
        "model": "alpha",
        "tier": FAST,
        "input_tokens": 500,
        "predicted_output_tokens": 100.0,
    }
    return pb.DispatchAsk(**(values | changes))


def an_end(name: str) -> pb.Completion:
    return pb.Completion(
        request_id=name, outcome=pb.COMPLETION_OUTCOME_FINISHED, output_tokens=90, ttft_seconds=0.2
    )


@pytest.fixture
def replicas() -> StandingReplicas:
    return StandingReplicas([an_endpoint(0), an_endpoint(1)])


@pytest.fixture
async def agent(tmp_path: Path, replicas: StandingReplicas) -> AsyncIterator[Agent]:
    async with a_dispatching_agent(tmp_path, replicas) as agent:
        await _sees(agent, 2)
        yield agent


@pytest.fixture
async def api(agent: Agent) -> AsyncIterator[DispatchServiceAsyncStub]:
    async with a_channel(f"127.0.0.1:{agent.local_port}") as channel:
        yield DispatchServiceStub(channel)


async def _sees(agent: Agent, replicas: int) -> None:
    async with a_channel(f"127.0.0.1:{agent.local_port}") as channel:
        api: DispatchServiceAsyncStub = DispatchServiceStub(channel)
        while True:
            view = await api.GetDispatch(pb.GetDispatchRequest())
            fresh = [r for r in view.replicas if r.signal == common_pb2.SIGNAL_FRESH]
            if len(fresh) == replicas:
                return
            await asyncio.sleep(0.02)


async def ask(stream: Stream, *asks: pb.DispatchAsk) -> list[pb.DispatchDecision]:
    """The decisions on one message."""
    await stream.write(pb.DispatchRequest(gateway_id="gw", asks=asks))
    found: list[pb.DispatchDecision] = []
    while len(found) < len(asks):
        found += (await heard(stream)).decisions
    return found


async def refused_call(call: Awaitable[Any]) -> Exception:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_of(caught.value)


async def test_many_asks_in_one_message_are_answered_in_their_order(
    agent: Agent, api: DispatchServiceAsyncStub
) -> None:
    stream = api.Dispatch()
    decisions = await ask(
        stream, *(an_ask(f"r-{n}", tier=BATCH if n % 3 == 0 else NORMAL) for n in range(30))
    )
    answers = decisions[:30]
    assert [one.request_id for one in answers] == [f"r-{n}" for n in range(30)]
    assert [one.WhichOneof("outcome") for one in answers] == ["queued", "placed", "placed"] * 10
    ends = pb.CompleteRequest(gateway_id="gw", completions=[an_end(f"r-{n}") for n in range(30)])
    first, second = await api.Complete(ends), await api.Complete(ends)
    assert (first.closed, first.already_closed, first.unknown) == (30, 0, 0)
    assert (second.closed, second.already_closed) == (0, 30)
    view = await api.GetDispatch(pb.GetDispatchRequest())
    assert [replica.booked_requests for replica in view.replicas] == [0, 0]
    assert view.counts.finished == 30
    stream.cancel()


BAD = {
    "unknown model": (an_ask("r", model="gamma"), "UNKNOWN_MODEL", "asks[0].model"),
    "no tier": (an_ask("r", tier=0), "INVALID_INPUT", "asks[0].tier"),
    "zero tokens": (an_ask("r", input_tokens=0), "INVALID_INPUT", "asks[0].input_tokens"),
    "ten million tokens": (an_ask("r", input_tokens=10**7), "INVALID_INPUT", ""),
    "NaN": (
        an_ask("r", predicted_output_tokens=float("nan")),
        "INVALID_INPUT",
        "asks[0].predicted_output_tokens",
    ),
    "no name": (an_ask(""), "INVALID_INPUT", "asks[0].request_id"),
}


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_ask_is_refused_by_name_and_the_stream_goes_on(
    api: DispatchServiceAsyncStub, bad: str
) -> None:
    stream = api.Dispatch()
    wrong, reason, field = BAD[bad]
    refused, good = await ask(stream, wrong, an_ask("good"))
    assert refused.WhichOneof("outcome") == "refused"
    assert refused.refused.reason == reason
    assert refused.refused.field.startswith(field)
    assert good.WhichOneof("outcome") == "placed"
    view = await api.GetDispatch(pb.GetDispatchRequest())
    assert sum(replica.booked_requests for replica in view.replicas) == 1
    stream.cancel()


@pytest.mark.parametrize(
    "request_message",
    [
        pb.DispatchRequest(asks=[an_ask("r")]),
        pb.DispatchRequest(gateway_id="gw", asks=[an_ask(f"r-{n}") for n in range(1001)]),
        pb.DispatchRequest(gateway_id="gw", running_request_ids=["r"] * 1001),
        pb.DispatchRequest(gateway_id="g" * 201),
        pb.DispatchRequest(gateway_id="g\0w"),
    ],
    ids=[
        "nobody",
        "too many asks",
        "too many names",
        "long name",
        "NUL",
    ],
)
async def test_a_bad_message_ends_the_stream(
    api: DispatchServiceAsyncStub, request_message: pb.DispatchRequest
) -> None:
    stream = api.Dispatch()
    await stream.write(request_message)
    assert isinstance(await refused_call(stream.read()), InvalidInput)


async def test_a_stream_speaks_for_one_gateway(api: DispatchServiceAsyncStub) -> None:
    stream = api.Dispatch()
    await ask(stream, an_ask("r"))
    await stream.write(pb.DispatchRequest(gateway_id="another"))
    assert isinstance(await refused_call(stream.read()), InvalidInput)


async def test_bad_completions_are_named_and_the_others_count(
    api: DispatchServiceAsyncStub,
) -> None:
    stream = api.Dispatch()
    await ask(stream, an_ask("r"))
    bad = pb.Completion(request_id="bad")
    answer = await api.Complete(pb.CompleteRequest(completions=[bad, an_end("r"), an_end("?")]))
    assert (answer.closed, answer.unknown) == (1, 1)
    (problem,) = answer.refused
    assert (problem.request_id, problem.problem.field) == ("bad", "completions[0].outcome")
    stream.cancel()


async def test_an_end_whose_call_broke_off_once_it_was_on_disk_frees_its_place_when_told_again(
    agent: Agent, api: DispatchServiceAsyncStub
) -> None:
    room = agent.room
    assert room is not None
    stream = api.Dispatch()
    await ask(stream, an_ask("b", tier=BATCH))
    (told,) = (await heard(stream)).decisions
    assert told.WhichOneof("outcome") == "placed"
    await room.end({"b": True})
    assert room.booked == 1
    answer = await api.Complete(pb.CompleteRequest(completions=[an_end("b")]))
    assert (answer.already_closed, room.booked) == (1, 0)
    stream.cancel()


async def test_an_unknown_model_is_not_looked_at(api: DispatchServiceAsyncStub) -> None:
    call = api.GetDispatch(pb.GetDispatchRequest(model="gamma"))
    assert isinstance(await refused_call(call), UnknownModel)


async def test_who_is_on_a_replica_that_vanishes_is_told_on_the_open_stream(
    agent: Agent, api: DispatchServiceAsyncStub, replicas: StandingReplicas
) -> None:
    stream = api.Dispatch()
    (placed,) = await ask(stream, an_ask("r"))
    gone = placed.placed.replica_id
    replicas.endpoints = [one for one in replicas.endpoints if one.replica_id != gone]
    (told,) = (await heard(stream)).decisions
    assert told.withdrawn.reason == pb.WITHDRAWAL_REASON_REPLICA_GONE
    assert told.withdrawn.replica_id == gone
    (again,) = await ask(stream, an_ask("r", attempt=2))
    assert again.placed.replica_id != gone
    assert agent.room is not None
    assert agent.room.booked == 1
    stream.cancel()


async def test_a_gateway_that_reads_nothing_holds_up_nobody(
    agent: Agent, api: DispatchServiceAsyncStub
) -> None:
    mute = api.Dispatch()
    for number in range(200):
        names = (f"{number}-{n}".ljust(200, "m") for n in range(1000))  # long answers fill buffers
        asks = [an_ask(name, model="beta") for name in names]
        writing = asyncio.create_task(mute.write(pb.DispatchRequest(gateway_id="mute", asks=asks)))
        done, _ = await asyncio.wait({writing}, timeout=2)
        if done:
            continue
        stream = api.Dispatch()
        (placed,) = await ask(stream, an_ask(f"r-{number}"))
        assert placed.WhichOneof("outcome") == "placed"
        if not writing.done():
            break  # held up for as long as another gateway was served
        await writing  # the machine was slow, nobody was held up
    else:
        pytest.fail("the gateway was never held up: nothing was tried")
    mute.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    room = agent.room
    assert room is not None
    await until(lambda: room.held == 0)
    stream.cancel()


async def test_gateways_that_all_leave_at_once_leave_nothing_behind(
    agent: Agent, api: DispatchServiceAsyncStub
) -> None:
    assert agent.room is not None
    streams = [api.Dispatch() for _ in range(200)]
    for number, stream in enumerate(streams):
        long = an_ask(f"s-{number}", tier=NORMAL, input_tokens=50_000)
        await stream.write(pb.DispatchRequest(gateway_id=f"gw-{number}", asks=[long]))
        await heard(stream)
    assert agent.room.held > 0
    for stream in streams:
        stream.cancel()
    room = agent.room
    await until(lambda: room.held == 0)
    ends = pb.CompleteRequest(
        gateway_id="gw", completions=[an_end(f"s-{number}") for number in range(200)]
    )
    await api.Complete(ends)
    assert room.booked == 0
    view = await api.GetDispatch(pb.GetDispatchRequest())
    assert [replica.booked_requests for replica in view.replicas] == [0, 0]


async def test_the_page_of_a_view_is_as_long_as_asked(api: DispatchServiceAsyncStub) -> None:
    view = await api.GetDispatch(pb.GetDispatchRequest(page_size=1))
    assert (len(view.replicas), view.replicas_known) == (1, 2)
    assert view.region == "east"
    (basis,) = view.bases
    assert basis.basis == pb.PLACEMENT_BASIS_SIGNALS


WHO = {
    "gateway": Identity(role=Role.GATEWAY, region=EAST, name="gw-1"),
    "agent": Identity(role=Role.AGENT, region=EAST, name="agent-1"),
    "operator": Identity(role=Role.OPERATOR, name="ann"),
    "admin": Identity(role=Role.ADMIN, name="root"),
    "abroad": Identity(role=Role.GATEWAY, region=RegionName("west"), name="gw-1"),
}
MAY_DISPATCH, MAY_LOOK = {"gateway", "admin"}, {"gateway", "agent", "operator", "admin"}


@asynccontextmanager
async def _secured(
    folder: Path, authority: Authority, who: str
) -> AsyncIterator[DispatchServiceAsyncStub]:
    driver = StandingReplicas([an_endpoint(0)])
    async with (
        a_dispatching_agent(folder, driver, local_tls=authority.server()) as agent,
        a_channel(f"127.0.0.1:{agent.local_port}", authority.client(WHO[who])) as channel,
    ):
        yield DispatchServiceStub(channel)


@pytest.mark.parametrize("who", WHO)
async def test_only_gateways_of_the_region_and_admins_dispatch(tmp_path: Path, who: str) -> None:
    authority = Authority(tmp_path)

    async def dispatch(api: DispatchServiceAsyncStub) -> None:
        stream = api.Dispatch()
        await ask(stream, an_ask("r"))
        stream.cancel()

    async def complete(api: DispatchServiceAsyncStub) -> None:
        await api.Complete(pb.CompleteRequest())

    async def look(api: DispatchServiceAsyncStub) -> None:
        await api.GetDispatch(pb.GetDispatchRequest())

    calls: list[tuple[Callable[[DispatchServiceAsyncStub], Awaitable[None]], set[str]]] = [
        (dispatch, MAY_DISPATCH),
        (complete, MAY_DISPATCH),
        (look, MAY_LOOK),
    ]
    async with _secured(tmp_path / "agent", authority, who) as api:
        for call, allowed in calls:
            if who in allowed:
                await call(api)
            else:
                assert isinstance(await refused_call(call(api)), Forbidden)
