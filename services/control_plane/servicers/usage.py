"""UsageService: takes reports in, answers questions about the past, and follows the present."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from heliostat.errors import HeliostatError, InvalidInput, Unavailable
from heliostat.model.instants import Span, floor_to, from_epoch, to_epoch
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.usage import UsageBatch, UsageBucket, UsageReceipt, UsageSeries
from heliostat.v1 import usage_pb2, usage_pb2_grpc
from services.control_plane.desk import Desk
from services.control_plane.usage_pages import UsagePlace, usage_page
from services.identity import caller
from services.translation.fields import required_text
from services.translation.pages import page_of
from services.translation.problems import problem_of
from services.translation.usage import MAX_ROWS, UsageReader, check_skew, receipt_to_wire
from services.translation.usage_views import (
    bucket_to_wire,
    query_from_wire,
    stream_query_from_wire,
)
from storage.notify import Topic

PIPELINE = 8
"""Batches of one stream that may wait for their commit."""
SETTLED_AFTER = timedelta(hours=1)
"""Buckets older than this are not looked at again by a stream."""
POLL_SECONDS = 5.0
BREATH_SECONDS = 0.5
"""A stream looks at most this often, however fast usage comes."""

Answer = asyncio.Future[UsageReceipt]


class _Pipe:
    """Batches of one stream whose answers are under way, in order; full pipes make the sender wait."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(PIPELINE)
        self._pending: asyncio.Queue[
            tuple[usage_pb2.UsageBatch, Answer | HeliostatError] | None
        ] = asyncio.Queue()

    async def put(self, batch: usage_pb2.UsageBatch, answer: Answer | HeliostatError) -> None:
        await self._room.acquire()
        self._pending.put_nowait((batch, answer))

    def end(self) -> None:
        self._pending.put_nowait(None)

    async def __aiter__(
        self,
    ) -> AsyncIterator[tuple[usage_pb2.UsageBatch, Answer | HeliostatError]]:
        while (item := await self._pending.get()) is not None:
            yield item
            self._room.release()


class UsageServicer(usage_pb2_grpc.UsageServiceServicer):
    """Serves the conversation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._reader = UsageReader(desk.catalogue)

    async def ReportUsage(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[usage_pb2.ReportUsageResponse]:
        pipe = _Pipe()
        reading = asyncio.create_task(self._read(request_iterator, pipe))
        closing = asyncio.create_task(self._desk.bells.closing.wait())
        closing.add_done_callback(lambda _: reading.cancel())
        try:
            async for batch, answer in pipe:
                yield await self._answer(batch, answer)
            self._desk.bells.check_open()
            await reading
        finally:
            closing.cancel()
            reading.cancel()

    async def _read(self, requests: Any, pipe: _Pipe) -> None:
        """Take batches in while earlier ones are being committed."""
        try:
            async for request in requests:
                self._desk.leader.epoch()
                await pipe.put(request.batch, await self._take(request))
        finally:
            pipe.end()

    async def _take(self, request: usage_pb2.ReportUsageRequest) -> Answer | HeliostatError:
        """Read once there is room: a batch takes many times more memory than its message."""

        def read() -> UsageBatch:
            batch = self._reader.request(request)
            check_skew("batch", batch, self._desk.clock.now(), self._desk.usage_limits)
            _check_source(batch)
            return batch

        rows = min(len(request.batch.window_start_seconds), MAX_ROWS)
        try:
            return await self._desk.intake.submit(rows, read)
        except HeliostatError as error:
            return error

    async def _answer(
        self, batch: usage_pb2.UsageBatch, answer: Answer | HeliostatError
    ) -> usage_pb2.ReportUsageResponse:
        """The receipt, or the refusal of this one batch. What is wrong with us ends the stream."""
        try:
            if isinstance(answer, HeliostatError):
                raise answer
            return receipt_to_wire(await answer, batch.sequence)
        except Unavailable:
            raise
        except HeliostatError as error:
            durable = await self._durable(batch)
            return usage_pb2.ReportUsageResponse(
                source_id=batch.source_id,
                incarnation=batch.incarnation,
                sequence=batch.sequence,
                durable_sequence=durable,
                refusal=problem_of(error),
            )

    async def _durable(self, batch: usage_pb2.UsageBatch) -> int:
        """The highest stored sequence of the batch's source; 0 for a name that no store can be asked for."""
        try:
            source = required_text("batch.source_id", batch.source_id)
        except InvalidInput:
            return 0
        return await self._desk.threads.read(
            lambda: self._desk.stores.usage.durable_sequence(source, batch.incarnation)
        )

    async def QueryUsage(
        self, request: usage_pb2.QueryUsageRequest, context: Any
    ) -> usage_pb2.QueryUsageResponse:
        query = query_from_wire(request, self._desk.catalogue)
        page = page_of(request, default=1000, limit=10_000)
        after = page.place(_place_of)
        found = await self._desk.threads.read(
            lambda: usage_page(self._desk.stores.usage, query, after=after, most=page.size + 1)
        )
        shown, token = page.cut(found, _place)
        return usage_pb2.QueryUsageResponse(
            buckets=[bucket_to_wire(bucket) for bucket in shown], next_page_token=token
        )

    async def StreamUsage(
        self, request: usage_pb2.StreamUsageRequest, context: Any
    ) -> AsyncIterator[usage_pb2.StreamUsageResponse]:
        query = stream_query_from_wire(request, self._desk.catalogue, self._desk.clock.now())
        sent: dict[tuple[datetime, UsageSeries], UsageBucket] = {}
        start = query.span.start
        while True:
            seen = self._desk.bells.count(Topic.USAGE)
            now = self._desk.clock.now()
            span = Span(start, max(start, floor_to(now, query.bucket) + query.bucket))
            look = replace(query, span=span)
            buckets = await self._desk.threads.read(partial(self._desk.stores.usage.query, look))
            news = [b for b in buckets if sent.get((b.start, b.series)) != b]
            if news:
                yield usage_pb2.StreamUsageResponse(buckets=[bucket_to_wire(b) for b in news])
            start = max(start, floor_to(now - SETTLED_AFTER, query.bucket))
            sent = {(b.start, b.series): b for b in buckets if b.start >= start}
            await asyncio.sleep(BREATH_SECONDS)
            await self._desk.bells.changed(Topic.USAGE, seen=seen, at_most=POLL_SECONDS)


def _check_source(batch: UsageBatch) -> None:
    """A regional identity reports its own region's requests under a name of its region."""
    who = caller()
    who.speak_as(batch.source_id)
    for origin in {series.origin for series in batch.series}:
        who.speak_for(origin)


def _place(bucket: UsageBucket) -> str:
    series = bucket.series
    parts = (to_epoch(bucket.start), series.origin, series.serving, series.model, series.tier)
    return "\n".join(map(str, parts))


def _place_of(place: str) -> UsagePlace:
    """Raises ValueError, OverflowError, UnknownTier."""
    start, origin, serving, model, tier = place.split("\n")
    series = UsageSeries(
        origin=RegionName(origin),
        serving=RegionName(serving),
        model=ModelName(model),
        tier=Tier.parse(tier),
    )
    return from_epoch(int(start)), series
