"""Usage at the local API: journalled first, then answered, with or without a control plane."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import (
    Forbidden,
    HeliostatError,
    InvalidInput,
    StorageUnavailable,
    Unsupported,
)
from heliostat.model.names import RegionName
from heliostat.model.usage import UsageReceipt
from heliostat.v1 import usage_pb2, usage_pb2_grpc
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.local_api.guard import Context, Guard, abort
from services.translation.problems import problem_of
from services.translation.usage import UsageReader, receipt_to_wire


class LocalUsage(usage_pb2_grpc.UsageServiceServicer):
    """Takes batches of this region's gateways: journal first, then the answer."""

    def __init__(
        self,
        journal: SqliteJournal,
        catalogue: FleetCatalogue,
        region: RegionName,
        guard: Guard,
        nudge: asyncio.Event,
        control_planes: Sequence[str],
    ) -> None:
        self._journal = journal
        self._reader = UsageReader(catalogue)
        self._region = region
        self._guard = guard
        self._nudge = nudge
        self._control_planes = tuple(control_planes)

    async def ReportUsage(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[usage_pb2.ReportUsageRequest], context: Context
    ) -> AsyncIterator[usage_pb2.ReportUsageResponse]:
        """One answer per batch; what is wrong with a batch is its refusal, and the stream goes on."""
        await self._guard.admit(context)
        async for request in request_iterator:
            try:
                receipt = await asyncio.to_thread(self._take, request)
            except StorageUnavailable as error:
                await abort(context, error)
            except HeliostatError as error:
                yield await asyncio.to_thread(self._refusal, request.batch, error)
            else:
                self._nudge.set()
                yield receipt_to_wire(receipt, request.batch.sequence)

    async def QueryUsage(  # noqa: N802 - gRPC's name
        self, request: usage_pb2.QueryUsageRequest, context: Context
    ) -> usage_pb2.QueryUsageResponse:
        """Refused: the journal holds what waits to be sent, not what happened."""
        await abort(context, self._keeps_no_history())

    async def StreamUsage(  # noqa: N802 - gRPC's name
        self, request: usage_pb2.StreamUsageRequest, context: Context
    ) -> AsyncIterator[usage_pb2.StreamUsageResponse]:
        """Refused, like `QueryUsage`."""
        await self._refuse(context)
        yield usage_pb2.StreamUsageResponse()  # never reached: makes this a stream

    async def _refuse(self, context: Context) -> None:
        await abort(context, self._keeps_no_history())

    def _keeps_no_history(self) -> Unsupported:
        return Unsupported(
            f"the agent of {self._region} accepts reports but stores no history",
            remedy=f"ask a control plane: {', '.join(self._control_planes)}",
        )

    def _take(self, request: usage_pb2.ReportUsageRequest) -> UsageReceipt:
        batch = self._reader.request(request)
        if not batch.source_id.startswith(f"{self._region}/"):
            raise Forbidden(
                f"source {batch.source_id!r} does not belong to {self._region}",
                remedy=f"call it {self._region}/<name>",
            )
        if batch.source_id == self._journal.usage.source_id:
            raise InvalidInput(
                "batch.source_id", f"{batch.source_id} is reserved for the agent itself"
            )
        elsewhere = sorted({series.origin for series in batch.series} - {self._region})
        if elsewhere:
            raise Forbidden(
                f"requests that arrived in {', '.join(elsewhere)} may not be reported by {self._region}",
                remedy="report them through the agent of the region where they arrived",
            )
        return self._journal.usage.take(batch)

    def _refusal(
        self, batch: usage_pb2.UsageBatch, error: HeliostatError
    ) -> usage_pb2.ReportUsageResponse:
        return usage_pb2.ReportUsageResponse(
            source_id=batch.source_id,
            incarnation=batch.incarnation,
            sequence=batch.sequence,
            durable_sequence=self._journal.usage.durable(batch.source_id, batch.incarnation),
            refusal=problem_of(error),
        )
