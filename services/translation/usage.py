"""Usage reports: columnar batches in both directions, and what becomes of them.

The dictionary's series are checked once each, columns as wholes; no row becomes an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.instants import to_epoch
from heliostat.model.names import ModelName, RegionName
from heliostat.model.usage import UsageBatch, UsageReceipt, UsageSeries
from heliostat.v1 import usage_pb2
from services.translation.enums import TIER
from services.translation.fields import required, required_text
from services.translation.names import known_region, named_at
from services.translation.sketches import sketch_column

NOT_MEASURED = -1
MAX_SERIES = 100_000
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimits:
    """How far windows may lie from now: clocks differ a little, and retention drops what is too old."""

    ahead: timedelta = timedelta(minutes=5)
    behind: timedelta = timedelta(days=400)


def batch_to_wire(batch: UsageBatch) -> usage_pb2.UsageBatch:
    """The batch; a column in which nothing was measured stays away."""
    return usage_pb2.UsageBatch(
        source_id=batch.source_id,
        incarnation=batch.incarnation,
        sequence=batch.sequence,
        series=[usage_series_to_wire(series) for series in batch.series],
        series_index=batch.series_index,
        window_start_seconds=batch.window_start,
        revision=batch.revision,
        offered_requests=batch.offered,
        admitted_requests=batch.admitted,
        rejected_requests=batch.rejected,
        retried_requests=batch.retried,
        completed_requests=batch.completed,
        input_tokens=_tokens_to_wire(batch.input_tokens),
        output_tokens=_tokens_to_wire(batch.output_tokens),
        ttft_sketch=_sketches_to_wire(batch.ttft),
        itl_sketch=_sketches_to_wire(batch.itl),
        e2e_sketch=_sketches_to_wire(batch.e2e),
    )


class UsageReader:
    """Reads batches against one catalogue; remembers the series that it found to be known."""

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[tuple[str, str, str, int], UsageSeries] = {}

    def request(self, request: usage_pb2.ReportUsageRequest) -> UsageBatch:
        """The request's batch. Raises InvalidInput or an Unknown… error."""
        return self.batch(required("", request, "batch"), request.batch)

    def batch(self, path: str, batch: usage_pb2.UsageBatch) -> UsageBatch:
        """The batch with every column checked. Raises InvalidInput or an Unknown… error."""
        rows = len(batch.window_start_seconds)
        if rows > MAX_ROWS or len(batch.series) > MAX_SERIES:
            raise InvalidInput(path, f"has more than {MAX_ROWS} rows", remedy="split it")
        return UsageBatch(
            source_id=required_text(f"{path}.source_id", batch.source_id),
            incarnation=batch.incarnation,
            sequence=batch.sequence,
            series=self._series(f"{path}.series", batch.series),
            series_index=list(batch.series_index),
            window_start=list(batch.window_start_seconds),
            revision=list(batch.revision),
            offered=list(batch.offered_requests),
            admitted=list(batch.admitted_requests),
            rejected=list(batch.rejected_requests),
            retried=list(batch.retried_requests),
            completed=list(batch.completed_requests),
            input_tokens=_tokens_from_wire(f"{path}.input_tokens", batch.input_tokens, rows),
            output_tokens=_tokens_from_wire(f"{path}.output_tokens", batch.output_tokens, rows),
            ttft=sketch_column(f"{path}.ttft_sketch", batch.ttft_sketch, rows),
            itl=sketch_column(f"{path}.itl_sketch", batch.itl_sketch, rows),
            e2e=sketch_column(f"{path}.e2e_sketch", batch.e2e_sketch, rows),
        )

    def _series(
        self, path: str, series: Sequence[usage_pb2.UsageSeries]
    ) -> tuple[UsageSeries, ...]:
        """The dictionary; every name is the catalogue's, every tier one that its model offers."""
        known = []
        for index, one in enumerate(series):
            key = (one.origin_region, one.serving_region, one.model, one.tier)
            found = self._known.get(key)
            if found is None:
                found = _known_series(f"{path}[{index}]", one, self._catalogue)
                self._known[key] = found
            known.append(found)
        if len(set(known)) != len(known):
            raise InvalidInput(path, "contains a series twice")
        return tuple(known)


def batch_from_wire(
    path: str, batch: usage_pb2.UsageBatch, catalogue: FleetCatalogue
) -> UsageBatch:
    """One batch with every column checked. Raises InvalidInput or an Unknown… error."""
    return UsageReader(catalogue).batch(path, batch)


def check_skew(path: str, batch: UsageBatch, now: datetime, limits: UsageLimits) -> None:
    """Every window started within the limits around now. Raises InvalidInput naming the column."""
    if not len(batch):
        return
    field = f"{path}.window_start_seconds"
    ahead = max(batch.window_start) - to_epoch(now + limits.ahead)
    if ahead > 0:
        raise InvalidInput(
            field,
            f"a window starts {ahead + int(limits.ahead.total_seconds())} s in the future",
            remedy="set the source's clock",
        )
    behind = to_epoch(now - limits.behind) - min(batch.window_start)
    if behind > 0:
        raise InvalidInput(
            field,
            f"a window lies more than {limits.behind.days} days back",
            remedy="omit it: data that old is not kept",
        )


def usage_series_to_wire(series: UsageSeries) -> usage_pb2.UsageSeries:
    """The series."""
    return usage_pb2.UsageSeries(
        origin_region=series.origin,
        serving_region=series.serving,
        model=series.model,
        tier=TIER.to_wire(series.tier),
    )


def usage_series_from_wire(path: str, series: usage_pb2.UsageSeries) -> UsageSeries:
    """The series. Raises InvalidInput when a part is not set."""
    return UsageSeries(
        origin=RegionName(required_text(f"{path}.origin_region", series.origin_region)),
        serving=RegionName(required_text(f"{path}.serving_region", series.serving_region)),
        model=ModelName(required_text(f"{path}.model", series.model)),
        tier=TIER.from_wire(f"{path}.tier", series.tier),
    )


def receipt_to_wire(receipt: UsageReceipt, sequence: int) -> usage_pb2.ReportUsageResponse:
    """The answer to the batch of that sequence."""
    return usage_pb2.ReportUsageResponse(
        source_id=receipt.source_id,
        incarnation=receipt.incarnation,
        sequence=sequence,
        durable_sequence=receipt.durable_sequence,
        replayed=receipt.replayed,
    )


def _known_series(
    path: str, series: usage_pb2.UsageSeries, catalogue: FleetCatalogue
) -> UsageSeries:
    value = usage_series_from_wire(path, series)
    known_region(f"{path}.origin_region", value.origin, catalogue)
    known_region(f"{path}.serving_region", value.serving, catalogue)
    with named_at(f"{path}.model"):
        model = catalogue.model(value.model)
    with named_at(f"{path}.tier"):
        model.offered(value.tier)
    return value


def _tokens_to_wire(column: Sequence[int | None]) -> list[int]:
    if all(tokens is None for tokens in column):
        return []
    return [NOT_MEASURED if tokens is None else tokens for tokens in column]


def _tokens_from_wire(path: str, column: Sequence[int], rows: int) -> Sequence[int | None]:
    if not column:
        return [None] * rows
    tokens = list(column)
    least = min(tokens)
    if least >= 0:
        return tokens
    if least < NOT_MEASURED:
        raise InvalidInput(path, f"{least} is negative", remedy="-1 means not measured")
    return [None if number == NOT_MEASURED else number for number in tokens]


def _sketches_to_wire(column: Sequence[bytes | None]) -> list[bytes]:
    if all(sketch is None for sketch in column):
        return []
    return [sketch or b"" for sketch in column]
