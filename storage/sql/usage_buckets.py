"""Answers usage queries out of the tables: buckets summed from windows, and rolled-up ones before those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from heliostat.model.instants import from_epoch, to_epoch
from heliostat.model.latency import LatencySketch, sketch_of
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from storage import summing
from storage.sketches import SketchSums
from storage.sql.interned import Names
from storage.sql.tables import usage_roll_ups, usage_windows
from storage.sql.usage_read import SqlUsageSource, starts_inside, total, touching

_AT_ONCE = 50_000
"""Rows with sketches held in memory at a time."""
_SKETCHES = ("ttft", "itl", "e2e")
_COUNTS = ("offered", "admitted", "rejected", "retried", "completed")


class SqlUsageBuckets:
    """Sums usage up as one transaction sees it."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def buckets(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        """As `UsageHistory.query` promises."""
        pruned = SqlUsageSource(self._connection, self._names).pruned_before()
        everything = self._names.series.all(self._connection)
        series = {n: named for n, named in everything.items() if summing.matches(query, named)}
        only = None if len(series) == len(everything) else list(series)
        found: list[UsageBucket] = []
        if to_epoch(query.span.start) < pruned:
            summing.check_roll_up_grid(query)
            found += self._rolled_up(query, series, only, pruned)
        found += self.from_windows(query, series, only, since=pruned)
        return summing.regrouped(found, query.span, query.bucket)

    def from_windows(
        self,
        query: UsageQuery,
        series: Mapping[int, UsageSeries],
        only: list[int] | None = None,
        *,
        since: int = 0,
    ) -> Iterator[UsageBucket]:
        """Buckets summed out of windows that start at `since` (epoch seconds) or later; `only` = of these
        series. Before that roll-ups count, also while retention still takes the windows away."""
        c = usage_windows.c
        first, length = to_epoch(query.span.start), int(query.bucket.total_seconds())
        bucket = (c.window_start - first) // length
        where = [
            starts_inside(c.window_start, query.span),
            c.window_start >= since,
            *_among(c.series, only),
        ]
        sums = select(
            bucket,
            c.series,
            func.count(),
            *(total(c[name]) for name in _COUNTS),
            total(c.input_tokens),
            total(c.output_tokens),
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
        # An option of the statement: one of the connection would stay for all that follow.
        rows = self._connection.execute(query.execution_options(yield_per=_AT_ONCE))
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
            touching(c.bucket_start, query.span),
            c.bucket_start < pruned,
            *_among(c.series, only),
        ]
        for row in self._connection.execute(select(*names).where(*where)):
            yield _bucket(
                series[row.series], row.bucket_start, row[2:12], *map(sketch_of, row[12:])
            )


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


def _among(column: ColumnElement[Any], numbers: list[int] | None) -> list[ColumnElement[bool]]:
    return [] if numbers is None else [column.in_(numbers)]
