"""Usage over the wire: what is acknowledged is stored, once, whatever is sent again or is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import (
    InvalidInput,
    MessageTooLarge,
    SequenceGap,
    StorageUnavailable,
    Unavailable,
    UnknownModel,
    UnknownRegion,
)
from heliostat.model.instants import Span
from heliostat.model.latency import LatencySketch
from heliostat.model.usage import UsageBatch, UsageQuery
from heliostat.v1 import usage_pb2
from services.translation.problems import error_of_problem
from services.translation.usage import batch_to_wire
from services.translation.usage_views import bucket_from_wire, query_to_wire
from tests.builders import MINUTE, NOON, a_batch, a_series, a_window
from tests.support.planes import Client, a_channel, a_world, error_in
from tests.support.streams import heard

HOUR = Span(NOON - timedelta(hours=1), NOON)
Response = usage_pb2.ReportUsageResponse


def numbered(*starts: Any, source: str = "east/gateway-1", first: int = 1) -> list[UsageBatch]:
    """One window per batch."""
    return [
        a_batch([a_window(start)], source_id=source, sequence=number)
        for number, start in enumerate(starts, first)
    ]


def requests(batches: Sequence[UsageBatch]) -> list[usage_pb2.ReportUsageRequest]:
    return [usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch)) for batch in batches]


async def report(client: Client, batches: Sequence[UsageBatch]) -> list[Response]:
    return [answer async for answer in client.usage.ReportUsage(iter(requests(batches)))]


async def offered(client: Client, span: Span = HOUR) -> int:
    query = UsageQuery(span=span, bucket=timedelta(hours=1))
    answer = await client.usage.QueryUsage(query_to_wire(query))
    return sum(bucket.offered_requests for bucket in answer.buckets)


async def test_every_batch_is_answered_in_order_with_what_is_durable() -> None:
    async with a_world() as world:
        answers = await report(world.client, numbered(*(NOON - k * MINUTE for k in range(1, 40))))
        assert [answer.sequence for answer in answers] == list(range(1, 40))
        assert all(answer.durable_sequence >= answer.sequence for answer in answers)
        assert await offered(world.client) == 390


async def test_a_replay_changes_nothing() -> None:
    async with a_world() as world:
        batches = numbered(NOON - MINUTE, NOON - 2 * MINUTE)
        await report(world.client, batches)
        again = await report(world.client, batches)
        assert [(answer.replayed, answer.durable_sequence) for answer in again] == [(True, 2)] * 2
        assert await offered(world.client) == 20


async def test_two_gateways_that_report_the_same_window_both_count() -> None:
    async with a_world() as world, a_channel(world.plane.address) as other:
        await asyncio.gather(
            report(world.client, numbered(NOON - MINUTE)),
            report(Client(other), numbered(NOON - MINUTE, source="east/gateway-2")),
        )
        assert await offered(world.client) == 20


async def test_a_bad_batch_is_refused_and_its_stream_goes_on() -> None:
    async with a_world() as world:
        good = requests(numbered(NOON - MINUTE, NOON - 2 * MINUTE, NOON - 3 * MINUTE))
        good[1].batch.admitted_requests[0] = 99
        answers = [answer async for answer in world.client.usage.ReportUsage(iter(good))]
        assert [answer.HasField("refusal") for answer in answers] == [False, True, True]
        assert answers[1].refusal.field == "counts"
        assert type(error_of_problem(answers[2].refusal)) is SequenceGap
        assert [answer.durable_sequence for answer in answers] == [1, 1, 1]
        skipped = [a_batch([], source_id="east/gateway-1", sequence=2)]
        await report(world.client, [*skipped, *numbered(NOON - 3 * MINUTE, first=3)])
        assert await offered(world.client) == 20


async def test_a_name_that_no_store_takes_is_refused_and_never_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_world() as world:
        look = world.stores.usage.durable_sequence

        def durable_sequence(source_id: str, incarnation: int) -> int:
            source_id.index("east")  # as PostgreSQL, which fails on a NUL character
            return look(source_id, incarnation)

        monkeypatch.setattr(world.stores.usage, "durable_sequence", durable_sequence)
        batches = requests(numbered(NOON - MINUTE, NOON - 2 * MINUTE))
        batches[0].batch.source_id = "\0"
        batches[1].batch.sequence = 1
        bad, good = [answer async for answer in world.client.usage.ReportUsage(iter(batches))]
        assert (bad.refusal.field, bad.durable_sequence) == ("batch.source_id", 0)
        assert not good.HasField("refusal")


async def test_one_streams_bad_batches_disturb_no_other_stream() -> None:
    async with a_world() as world, a_channel(world.plane.address) as other:
        gaps = [b for k in range(2, 40, 2) for b in numbered(NOON - k * MINUTE, first=k)]
        good = numbered(*(NOON - k * MINUTE for k in range(1, 40)), source="east/gateway-2")
        refused, answers = await asyncio.gather(
            report(Client(other), gaps), report(world.client, good)
        )
        assert all(answer.HasField("refusal") for answer in refused[1:])
        assert not any(answer.HasField("refusal") for answer in answers)
        assert await offered(world.client) >= 390


@pytest.mark.parametrize(
    ("part", "name", "error"),
    [
        ("model", "gpt-0", UnknownModel),
        ("origin_region", "atlantis", UnknownRegion),
        ("tier", 77, InvalidInput),
    ],
)
async def test_an_unknown_name_is_refused(part: str, name: Any, error: type) -> None:
    async with a_world() as world:
        bad = requests(numbered(NOON - MINUTE))
        setattr(bad[0].batch.series[0], part, name)
        (answer,) = [answer async for answer in world.client.usage.ReportUsage(iter(bad))]
        assert type(error_of_problem(answer.refusal)) is error
        assert answer.refusal.field == f"batch.series[0].{part}"
        assert await offered(world.client) == 0


async def test_windows_of_a_wrong_clock_are_refused() -> None:
    async with a_world() as world:
        (early,) = await report(world.client, numbered(NOON + timedelta(hours=2)))
        assert early.refusal.field == "batch.window_start_seconds"


async def test_windows_may_come_out_of_order_and_be_revised() -> None:
    async with a_world() as world:
        newer = a_window(NOON - MINUTE, revision=3, offered=30, admitted=30, completed=30)
        older = a_window(NOON - MINUTE, revision=2, offered=20, admitted=20, completed=20)
        first = a_window(NOON - 5 * MINUTE)
        for sequence, window in enumerate((newer, first, older), 1):
            batch = a_batch([window], source_id="east/g", sequence=sequence)
            await report(world.client, [batch])
        assert await offered(world.client) == 40


async def test_a_source_that_restarts_starts_a_new_incarnation() -> None:
    async with a_world() as world:
        await report(world.client, numbered(NOON - MINUTE, NOON - 2 * MINUTE))
        again = a_batch(
            [a_window(NOON - 3 * MINUTE)], source_id="east/gateway-1", incarnation=2, sequence=1
        )
        (answer,) = await report(world.client, [again])
        assert (answer.incarnation, answer.durable_sequence) == (2, 1)
        assert await offered(world.client) == 30


async def test_a_message_that_is_too_large_is_a_typed_error() -> None:
    async with a_world(max_message_bytes=65_536) as world:
        windows = [a_window(NOON - k * MINUTE, ttft=LatencySketch.of([0.1])) for k in range(3000)]
        big = [a_batch(windows, source_id="east/gateway-1")]
        assert type(await error_in(world.client.usage.ReportUsage(iter(requests(big))))) is (
            MessageTooLarge
        )
        assert len(await report(world.client, numbered(NOON - MINUTE))) == 1


async def test_a_message_beyond_all_room_is_refused_by_the_transport_alike() -> None:
    async with a_world(max_message_bytes=65_536) as world:
        windows = [a_window(NOON - k * MINUTE) for k in range(30_000)]
        big = [a_batch(windows, source_id="east/gateway-1")]
        assert type(await error_in(world.client.usage.ReportUsage(iter(requests(big))))) is (
            MessageTooLarge
        )


async def test_a_store_that_is_away_ends_the_stream_and_a_retry_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_world() as world:
        batches = numbered(NOON - MINUTE)
        with monkeypatch.context() as broken:
            broken.setattr(world.stores.usage, "record", _away)
            error = await error_in(world.client.usage.ReportUsage(iter(requests(batches))))
        assert type(error) is StorageUnavailable
        await report(world.client, batches)
        assert await offered(world.client) == 10


def _away(_: Any) -> Any:
    raise StorageUnavailable("the database does not answer")


async def test_usage_is_paged_without_gap_or_repetition() -> None:
    async with a_world() as world:
        windows = [
            a_window(NOON - k * MINUTE, series=a_series(model=model))
            for k in range(1, 8)
            for model in ("alpha", "beta")
        ]
        await report(world.client, [a_batch(windows, source_id="east/g")])
        query = UsageQuery(span=HOUR, bucket=MINUTE)
        seen, token = [], ""
        while True:
            page = await world.client.usage.QueryUsage(
                query_to_wire(query, page_size=3, page_token=token)
            )
            seen += [bucket_from_wire("b", bucket) for bucket in page.buckets]
            token = page.next_page_token
            if not token:
                break
            assert len(page.buckets) == 3
        assert seen == list(world.stores.usage.query(query))
        assert len(seen) == 14


async def test_a_query_without_a_span_is_refused() -> None:
    async with a_world() as world:
        error = await error_in(world.client.usage.QueryUsage(usage_pb2.QueryUsageRequest()))
        assert isinstance(error, InvalidInput)
        assert error.field == "span"


async def test_a_stream_of_usage_shows_new_and_changed_buckets() -> None:
    async with a_world() as world:
        start = usage_pb2.StreamUsageRequest()
        start.start.FromDatetime((NOON - 10 * MINUTE).replace(tzinfo=None))
        stream = world.client.usage.StreamUsage(start)
        await report(world.client, numbered(NOON - 2 * MINUTE))
        first = await heard(stream)
        assert [bucket.offered_requests for bucket in first.buckets] == [10]
        await report(world.client, numbered(NOON - 2 * MINUTE, source="east/gateway-2"))
        second = await heard(stream)
        assert [bucket.offered_requests for bucket in second.buckets] == [20]
        stream.cancel()


async def test_a_control_plane_that_goes_away_ends_its_streams_at_once() -> None:
    async with a_world() as world:
        reporting = world.client.usage.ReportUsage()
        await reporting.write(requests(numbered(NOON - MINUTE))[0])
        assert (await heard(reporting)).durable_sequence == 1
        start = usage_pb2.StreamUsageRequest()
        start.start.FromDatetime((NOON - 10 * MINUTE).replace(tzinfo=None))
        stream = world.client.usage.StreamUsage(start)
        assert (await heard(stream)).buckets
        # Both are open and idle now; nothing but the stop ends them.
        ends = [asyncio.create_task(error_in(call)) for call in (stream, reporting)]
        stopping = asyncio.create_task(world.plane.stop())
        for error in await asyncio.gather(*ends):
            assert isinstance(error, Unavailable)
        await stopping
