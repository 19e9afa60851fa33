"""Reads usage out of the tables: minute sums, folded buckets, coverage, and buckets for queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Select, case, cast, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from storage import summing
from storage.coverage import Coverage
from storage.fold import MINUTE, Table, table_of
from storage.reading import bucket_starts
from storage.sketches import SketchSums
from storage.sql.interned import Names
from storage.sql.tables import (
    demand_folds,
    usage_coverage,
    usage_open_buckets,
    usage_reported,
    usage_retention,
    usage_roll_ups,
    usage_windows,
)

_AT_ONCE = 50_000
"""Rows with sketches held in memory at a time."""
_SKETCHES = ("ttft", "itl", "e2e")
_COUNTS = ("offered", "admitted", "rejected", "retried", "completed")


class SqlUsageSource:
    """What one transaction sees; keeps `storage.reading.UsageSource`'s promise."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def keys(self) -> Mapping[int, DemandKey]:
        return self._names.demand.all(self._connection)

    def coverage(self, span: Span, step: timedelta) -> Coverage:
        coverage = Coverage(span, step)
        origins = select(usage_reported.c.origin).distinct()
        for origin in self._connection.execute(origins).scalars():
            coverage.reported(RegionName(origin))
        c = usage_coverage.c
        rows = select(c.origin, c.bucket_start, c.minutes).where(_inside(c.bucket_start, span))
        for origin, bucket, minutes in self._connection.execute(rows):
            coverage.add(RegionName(origin), bucket, minutes)
        return coverage

    def folded(self, span: Span) -> Mapping[int, Table]:
        c = demand_folds.c
        stale = select(usage_open_buckets.c.bucket_start)
        rows = select(c.bucket_start, c.rows).where(
            _inside(c.bucket_start, span), c.bucket_start.not_in(stale)
        )
        return {start: table_of([packed]) for start, packed in self._connection.execute(rows)}

    def open_buckets(self, span: Span) -> tuple[int, ...]:
        start = usage_open_buckets.c.bucket_start
        rows = select(start).where(_inside(start, span)).order_by(start)
        return tuple(self._connection.execute(rows).scalars())

    def pruned_before(self) -> int:
        found = self._connection.execute(select(usage_retention.c.pruned_before)).scalar()
        return found or 0

    def minutes(self, span: Span) -> Table:
        c = usage_windows.c
        rows = self._connection.execute(
            select(
                c.series,
                c.window_start,
                _total(c.offered - c.retried),
                _total(func.coalesce(c.input_tokens, 0)),
                _total(case((c.input_tokens.is_not(None), c.offered), else_=0)),
                _total(func.coalesce(c.output_tokens, 0)),
                _total(case((c.output_tokens.is_not(None), c.completed), else_=0)),
                func.count(c.input_tokens),
                func.count(c.output_tokens),
            )
            .where(_starts_inside(c.window_start, span))
            .group_by(c.series, c.window_start)
        )
        return self._with_demand_keys([tuple(row) for row in rows])

    def _with_demand_keys(self, rows: list[tuple[Any, ...]]) -> Table:
        """The rows with their series' demand key in place of the series; others left out."""
        numbers = {key: number for number, key in self.keys().items()}
        of_series = {
            number: numbers.get(
                DemandKey(origin=series.origin, model=series.model, tier=series.tier)
            )
            for number, series in self._names.series.all(self._connection).items()
        }
        known = [(of_series[row[0]], *row[1:]) for row in rows if of_series[row[0]] is not None]
        return np.array(known, dtype=MINUTE)

    # --- buckets -------------------------------------------------------------------------------

    def buckets(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        """As `UsageHistory.query` promises."""
        pruned = self.pruned_before()
        everything = self._names.series.all(self._connection)
        series = {n: named for n, named in everything.items() if summing.matches(query, named)}
        only = None if len(series) == len(everything) else list(series)
        found: list[UsageBucket] = []
        if to_epoch(query.span.start) < pruned:
            summing.check_roll_up_grid(query)
            found += self._rolled_up(query, series, only, pruned)
        found += self.from_windows(query, series, only)
        return summing.regrouped(found, query.span, query.bucket)

    def from_windows(
        self, query: UsageQuery, series: Mapping[int, UsageSeries], only: list[int] | None = None
    ) -> Iterator[UsageBucket]:
        """Buckets summed out of windows; `only` = of these series."""
        c = usage_windows.c
        first, length = to_epoch(query.span.start), int(query.bucket.total_seconds())
        bucket = (c.window_start - first) // length
        where = [_starts_inside(c.window_start, query.span), *_among(c.series, only)]
        sums = select(
            bucket,
            c.series,
            func.count(),
            *(_total(c[name]) for name in _COUNTS),
            _total(c.input_tokens),
            _total(c.output_tokens),
            func.count() - func.count(c.input_tokens),
            func.count() - func.count(c.output_tokens),
        )
        rows = self._connection.execute(sums.where(*where).group_by(bucket, c.series)).all()
        if not query.with_latency or not rows:
            sketches: list[dict[int, LatencySketch]] = [{}, {}, {}]
        else:
            columns = select(bucket, c.series, *(c[name] for name in _SKETCHES))
            # Windows of imported history carry no latencies: there is nothing to fetch of them.
            some = or_(*(c[name].is_not(None) for name in _SKETCHES))
            sketches = self._sketches(columns.where(*where, some))
        for row in rows:
            place = _group(row[0], row[1])
            yield _bucket(
                series[row[1]],
                first + row[0] * length,
                row[2:],
                *(merged.get(place) for merged in sketches),
            )

    def _sketches(
        self, query: Select[tuple[int, int, bytes, bytes, bytes]]
    ) -> list[dict[int, LatencySketch]]:
        sums = [SketchSums() for _ in _SKETCHES]
        rows = self._connection.execution_options(yield_per=_AT_ONCE).execute(query)
        for part in rows.partitions():
            buckets, series, *columns = zip(*part, strict=True)
            groups = [_group(b, s) for b, s in zip(buckets, series, strict=True)]
            for merged, column in zip(sums, columns, strict=True):
                merged.add(groups, column)
        return [dict(merged.results()) for merged in sums]

    def _rolled_up(
        self,
        query: UsageQuery,
        series: Mapping[int, UsageSeries],
        only: list[int] | None,
        pruned: int,
    ) -> Iterator[UsageBucket]:
        c = usage_roll_ups.c
        names = [column for column in c if column.name not in _SKETCHES]
        if query.with_latency:
            names = list(c)
        where = [
            _inside(c.bucket_start, query.span),
            c.bucket_start < pruned,
            *_among(c.series, only),
        ]
        for row in self._connection.execute(select(*names).where(*where)):
            yield _bucket(series[row.series], row.bucket_start, row[2:12], *map(_read, row[12:]))


def _bucket(
    series: UsageSeries,
    start: int,
    sums: Any,
    ttft: LatencySketch | None = None,
    itl: LatencySketch | None = None,
    e2e: LatencySketch | None = None,
) -> UsageBucket:
    """A bucket out of the columns windows … windows_without_output of `usage_roll_ups`."""
    windows, offered, admitted, rejected, retried, completed, *tokens = sums
    return UsageBucket(
        series=series,
        start=from_epoch(start),
        windows=windows,
        offered=offered,
        admitted=admitted,
        rejected=rejected,
        retried=retried,
        completed=completed,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        windows_without_input=tokens[2],
        windows_without_output=tokens[3],
        ttft=ttft,
        itl=itl,
        e2e=e2e,
    )


def _group(bucket: int, series: int) -> int:
    return bucket << 32 | series


def _read(data: bytes | None) -> LatencySketch | None:
    return None if data is None else LatencySketch.from_bytes(data)


def _total(counted: ColumnElement[Any]) -> ColumnElement[int]:
    """The sum as an integer; PostgreSQL would answer with a decimal number."""
    return cast(func.sum(counted), BigInteger)


def _among(column: ColumnElement[Any], numbers: list[int] | None) -> list[ColumnElement[bool]]:
    return [] if numbers is None else [column.in_(numbers)]


def _starts_inside(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    return (column >= to_epoch(span.start)) & (column < to_epoch(span.end))


def _inside(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """The 15-minute buckets that touch the span."""
    touched = bucket_starts(span)
    return (column >= touched.start) & (column < touched.stop)
