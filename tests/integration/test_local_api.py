"""The agent's local API takes messages up to the documented limit, and notices hosts that vanish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc import aio

from heliostat.errors import HeliostatError, InvalidInput, MessageTooLarge
from heliostat.v1 import common_pb2, usage_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from services.agent.agent import Agent
from services.agent.board import RouteBoard
from services.agent.local_api.opening import LocalApi
from services.binding import options_of
from services.messages import MAX_MESSAGE_BYTES
from services.translation.problems import error_of
from services.translation.usage import batch_to_wire
from tests.builders import a_batch, a_window
from tests.support.agents import EAST
from tests.support.dispatching import Counter, an_endpoint
from tests.support.dispatching_agent import NO_CONTROL_PLANE
from tests.support.frozen_wire import a_wire
from tests.support.linked_agents import started
from tests.support.planes import a_channel
from tests.support.streams import heard
from tests.support.waiting import until

if TYPE_CHECKING:
    from heliostat.v1.dispatch_pb2_grpc import DispatchServiceAsyncStub

REPORT = "/heliostat.v1.UsageService/ReportUsage"
DISPATCH = "/heliostat.v1.DispatchService/Dispatch"
COMPLETE = "/heliostat.v1.DispatchService/Complete"
FIVE_MB = 5_000_000


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    async with started(tmp_path, NO_CONTROL_PLANE) as agent:
        yield agent


def a_report(padding_bytes: int) -> bytes:
    """A good batch, and a field of so many bytes that this release does not know."""
    batch = a_batch([a_window()], source_id="east/gateway-1")
    request = usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch))
    length = bytes(
        (padding_bytes >> shift) & 0x7F | (0x80 if shift < 28 else 0) for shift in range(0, 35, 7)
    )
    return request.SerializeToString() + b"\xfa\x7f" + length + bytes(padding_bytes)


async def answer_to(agent: Agent, method: str, message: bytes) -> bytes | HeliostatError:
    """What comes back on a stream on which that is said."""
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        open_stream: aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
        call = open_stream()
        try:
            await call.write(message)
            return await heard(call)
        except grpc.RpcError as error:
            return error_of(error)
        finally:
            call.cancel()


async def test_a_batch_of_five_megabytes_is_journalled(agent: Agent) -> None:
    answer = await answer_to(agent, REPORT, a_report(FIVE_MB))
    assert isinstance(answer, bytes)
    assert usage_pb2.ReportUsageResponse.FromString(answer).durable_sequence == 1


@pytest.mark.parametrize("method", [REPORT, DISPATCH])
async def test_a_message_above_the_limit_is_a_typed_error(agent: Agent, method: str) -> None:
    error = await answer_to(agent, method, a_report(MAX_MESSAGE_BYTES))
    assert type(error) is MessageTooLarge
    assert f"the limit is {MAX_MESSAGE_BYTES}" in str(error)


async def test_a_message_that_cannot_be_read_is_a_typed_error(agent: Agent) -> None:
    error = await answer_to(agent, REPORT, b"\xff\xff\xff")
    assert type(error) is InvalidInput
    assert error.field == "message"


async def test_a_call_that_is_no_stream_has_the_same_limit(agent: Agent) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{agent.local_port}") as channel:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(COMPLETE)
        with pytest.raises(grpc.RpcError) as caught:
            await call(bytes(MAX_MESSAGE_BYTES + 1))
    assert type(error_of(caught.value)) is MessageTooLarge


@asynccontextmanager
async def an_impatient_local_api(desk: Counter) -> AsyncIterator[LocalApi]:
    """A local API of that room which pings every second."""
    second = timedelta(seconds=1)
    local_api = LocalApi(
        "127.0.0.1:0",
        journal=desk.disk.journal_in(desk.file),
        board=RouteBoard(None),
        catalogue=desk.catalogue,
        region=EAST,
        control_planes=(),
        room=desk.room,
        options=options_of(MAX_MESSAGE_BYTES, ping_every=second, answered_within=second),
    )
    running = asyncio.create_task(desk.room.run())
    await local_api.open(asyncio.Event())
    try:
        yield local_api
    finally:
        running.cancel()
        await local_api.close(0)
        desk.close()


async def test_a_gateway_whose_host_vanished_is_forgotten(tmp_path: Path) -> None:
    desk = Counter(tmp_path)
    await desk.show(an_endpoint())
    desk.fill()
    assert desk.room.held == 1
    async with (
        an_impatient_local_api(desk) as local_api,
        a_wire(local_api.port) as wire,
        a_channel(f"127.0.0.1:{wire.port}") as channel,
    ):
        stub: DispatchServiceAsyncStub = DispatchServiceStub(channel)
        stream = stub.Dispatch()
        ask = pb.DispatchAsk(
            request_id="far",
            model="alpha",
            tier=common_pb2.TIER_INTERACTIVE_NORMAL,
            input_tokens=500,
            predicted_output_tokens=100.0,
        )
        await stream.write(pb.DispatchRequest(gateway_id="far", asks=[ask]))
        (decision,) = (await heard(stream)).decisions
        assert decision.WhichOneof("outcome") == "queued"
        assert desk.room.held == 2
        wire.freeze()
        await until(lambda: desk.room.held == 1)
        stream.cancel()
