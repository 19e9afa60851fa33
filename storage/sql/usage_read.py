"""Reads out of the tables what demand is made of: minute sums, folded buckets and coverage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, case, cast, func, select
from sqlalchemy.sql.elements import ColumnElement

from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import DemandKey, RegionName
from storage.coverage import Coverage
from storage.fold import MINUTE, Table, table_of
from storage.reading import bucket_starts
from storage.sql.interned import Names
from storage.sql.tables import (
    demand_folds,
    usage_coverage,
    usage_open_buckets,
    usage_reported,
    usage_retention,
    usage_windows,
)

_NO_KEY = -1
"""Of series that never had traffic."""


class SqlUsageSource:
    """What one transaction sees; keeps `storage.reading.UsageSource`'s promise."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def keys(self) -> Mapping[int, DemandKey]:
        return self._names.demand.all(self._connection)

    def coverage(self, span: Span, step: timedelta) -> Coverage:
        coverage = Coverage(span, step)
        c, heard = usage_coverage.c, usage_reported.c
        # One look into the index per origin: there are hundreds of thousands of buckets.
        oldest = select(func.min(c.bucket_start)).where(c.origin == heard.origin)
        ends = select(heard.origin, oldest.scalar_subquery(), func.max(heard.until))
        for origin, since, until in self._connection.execute(ends.group_by(heard.origin)):
            coverage.reported(RegionName(origin), until if since is None else since, until)
        rows = select(c.origin, c.bucket_start, c.minutes).where(touching(c.bucket_start, span))
        found = self._connection.execute(rows.order_by(c.origin)).all()
        names, starts, masks = zip(*found, strict=True) if found else ((), (), ())
        for origin in dict.fromkeys(names):
            part = slice(first := names.index(origin), first + names.count(origin))
            coverage.add(RegionName(origin), starts[part], masks[part])
        return coverage

    def folded(self, span: Span) -> Table:
        c = demand_folds.c
        stale = select(usage_open_buckets.c.bucket_start)
        rows = select(c.rows).where(touching(c.bucket_start, span), c.bucket_start.not_in(stale))
        return table_of(self._connection.execute(rows).scalars())

    def open_buckets(self, span: Span) -> tuple[int, ...]:
        start = usage_open_buckets.c.bucket_start
        rows = select(start).where(touching(start, span)).order_by(start)
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
                total(c.offered - c.retried),
                total(func.coalesce(c.input_tokens, 0)),
                total(case((c.input_tokens.is_not(None), c.offered), else_=0)),
                total(func.coalesce(c.output_tokens, 0)),
                total(case((c.output_tokens.is_not(None), c.completed), else_=0)),
                func.count(c.input_tokens),
                func.count(c.output_tokens),
            )
            .where(starts_inside(c.window_start, span))
            .group_by(c.window_start, c.series)  # in the order of the key: nothing is sorted
        )
        # All columns of MINUTE are whole numbers of the same size: one flat array is all rows, and the
        # driver's own tuples will do (an object for each row takes longer than the sums). None of them
        # was fetched before: the result does not stream.
        cursor = rows.cursor
        assert cursor is not None  # a result of rows that nobody has closed
        table = np.fromiter(chain.from_iterable(cursor.fetchall()), np.int64).view(MINUTE)
        rows.close()
        return self._with_demand_keys(table)

    def net_offered(self, span: Span) -> dict[DemandKey, dict[datetime, int]]:
        """Requests less retries per demand and minute that begins in the span."""
        c = usage_windows.c
        series = self._names.series.all(self._connection)
        rows = self._connection.execute(
            select(c.series, c.window_start, total(c.offered - c.retried))
            .where(starts_inside(c.window_start, span))
            .group_by(c.window_start, c.series)
        )
        found: dict[DemandKey, dict[datetime, int]] = {}
        for number, start, offered in rows:
            row, at = found.setdefault(series[number].demand, {}), from_epoch(start)
            row[at] = row.get(at, 0) + offered
        return found

    def _with_demand_keys(self, table: Table) -> Table:
        """The rows with their series' demand key in place of the series; others left out."""
        series = self._names.series.all(self._connection)
        numbers = {key: number for number, key in self.keys().items()}
        present, place = np.unique(table["key"], return_inverse=True)
        of_present = [numbers.get(series[number].demand, _NO_KEY) for number in present.tolist()]
        table["key"] = np.array(of_present, np.int64)[place]
        known: Table = table[table["key"] != _NO_KEY]
        return known


def total(counted: ColumnElement[Any]) -> ColumnElement[int]:
    """The sum as an integer; PostgreSQL would answer with a decimal number."""
    return cast(func.sum(counted), BigInteger)


def starts_inside(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """The windows that start inside the span."""
    return (column >= to_epoch(span.start)) & (column < to_epoch(span.end))


def touching(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """The 15-minute buckets that touch the span."""
    touched = bucket_starts(span)
    return (column >= touched.start) & (column < touched.stop)
