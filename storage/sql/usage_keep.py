"""Keeps the usage tables small: folds closed minutes into quarters of an hour, drops what is old.

A fold is computed without any lock and stored only if no window came into its bucket meanwhile;
otherwise the bucket stays open for the next round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy import Table as SqlTable

from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, to_epoch
from heliostat.model.latency import bytes_of
from heliostat.model.usage import UsageBucket, UsageQuery, UsageSeries
from storage.fold import BUCKET_SECONDS, Table, fold
from storage.reading import aggregates, runs
from storage.sql.database import Database, Transaction, put_many
from storage.sql.interned import Names
from storage.sql.tables import (
    demand_folds,
    usage_coverage,
    usage_open_buckets,
    usage_retention,
    usage_roll_ups,
    usage_windows,
)
from storage.sql.usage_buckets import SqlUsageBuckets
from storage.sql.usage_read import SqlUsageSource

_BUCKETS_AT_ONCE = 24
_SLICE = timedelta(hours=1)
"""How much is deleted in one transaction."""
_ROW = 1


class UsageKeeper:
    """Rolls up and prunes."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    def roll_up(self, now: datetime) -> int:
        """Fold every open bucket that ended by `now`; returns the roll-up rows written."""
        c = usage_open_buckets.c
        closed = c.bucket_start <= to_epoch(now) - BUCKET_SECONDS
        with self._database.read() as connection:
            found = connection.execute(select(c.bucket_start, c.changes).where(closed)).all()
        changes = {row.bucket_start: row.changes for row in found}
        return sum(self._fold(run, changes) for run in runs(sorted(changes), _BUCKETS_AT_ONCE))

    def _fold(self, run: Span, changes: dict[int, int]) -> int:
        with self._database.read() as connection:
            source = SqlUsageSource(connection, self._names)
            series = self._names.series.all(connection)
            query = UsageQuery(span=run, bucket=BUCKET)
            buckets = tuple(SqlUsageBuckets(connection, self._names).from_windows(query, series))
            folded = fold(source.minutes(run), aggregates(source.keys()), BUCKET_SECONDS)
        numbers = {named: number for number, named in series.items()}
        rows: dict[int, list[dict[str, object]]] = defaultdict(list)
        for bucket in buckets:
            rows[to_epoch(bucket.start)].append(_row(bucket, numbers))
        starts = range(to_epoch(run.start), to_epoch(run.end), BUCKET_SECONDS)
        with self._database.write() as tx:
            closed = [start for start in starts if _still(tx, start, changes[start])]
            return self._put(tx, closed, rows, folded)

    def _put(
        self,
        tx: Transaction,
        starts: Sequence[int],
        rows: Mapping[int, Sequence[dict[str, object]]],
        folded: Table,
    ) -> int:
        """The buckets that start then, in place of what stood there; the roll-up rows written."""
        for table in (usage_roll_ups, demand_folds):
            tx.connection.execute(delete(table).where(table.c.bucket_start.in_(starts)))
        rolled = [row for start in starts for row in rows[start]]
        put_many(tx, self._database.insert(usage_roll_ups), rolled)
        packed = [folded[folded["start"] == start].tobytes() for start in starts]
        put_many(
            tx,
            self._database.insert(demand_folds),
            [{"bucket_start": s, "rows": p} for s, p in zip(starts, packed, strict=True)],
        )
        return len(rolled)

    # --- retention -----------------------------------------------------------------------------

    def prune(self, windows_before: datetime, roll_ups_before: datetime) -> int:
        """As `UsageHistory.prune` promises."""
        pruned = self._set_retention(to_epoch(windows_before) // BUCKET_SECONDS * BUCKET_SECONDS)
        removed = self._drop(usage_windows, "window_start", pruned)
        limit = min(pruned, to_epoch(roll_ups_before)) // BUCKET_SECONDS * BUCKET_SECONDS
        removed += self._drop(usage_roll_ups, "bucket_start", limit)
        self._drop(demand_folds, "bucket_start", limit)
        self._drop(usage_coverage, "bucket_start", limit)
        self._database.give_back_log()
        return removed

    def _set_retention(self, before: int) -> int:
        """Refuse windows before that instant from now on, or before the first open bucket."""
        c = usage_retention.c
        with self._database.write() as tx:
            lock_retention(self._database, tx, exclusively=True)
            first_open = select(func.min(usage_open_buckets.c.bucket_start))
            oldest = tx.connection.execute(first_open).scalar()
            kept = before if oldest is None else min(before, oldest)
            tx.connection.execute(
                update(usage_retention).where(c.pruned_before < kept).values(pruned_before=kept)
            )
            return _integer(tx, select(c.pruned_before))

    def _drop(self, table: SqlTable, column: str, before: int) -> int:
        """Delete rows before an instant, a slice of time per transaction, so that others are not delayed."""
        at = table.c[column]
        with self._database.read() as connection:
            first = connection.execute(select(func.min(at))).scalar()
        removed = 0
        while first is not None and first < before:
            with self._database.write() as tx:
                end = min(before, first + int(_SLICE.total_seconds()))
                removed += tx.connection.execute(delete(table).where(at < end)).rowcount
                first = tx.connection.execute(select(func.min(at))).scalar()
        return removed


def lock_retention(database: Database, tx: Transaction, *, exclusively: bool) -> int:
    """Hold retention still until `tx` ends; the instant before which windows are gone."""
    query = select(usage_retention.c.pruned_before).with_for_update(read=not exclusively)
    if tx.connection.execute(query).scalar() is None:
        first = database.insert(usage_retention).values(id=_ROW, pruned_before=0)
        tx.connection.execute(first.on_conflict_do_nothing())
    return _integer(tx, query)


def _integer(tx: Transaction, query: Select[Any]) -> int:
    return int(tx.connection.execute(query).scalar_one())


def _still(tx: Transaction, start: int, changes: int) -> bool:
    """Close the bucket; false when windows came into it since its changes were counted."""
    c = usage_open_buckets.c
    unchanged = delete(usage_open_buckets).where(c.bucket_start == start, c.changes == changes)
    return tx.connection.execute(unchanged).rowcount == 1


def _row(bucket: UsageBucket, numbers: dict[UsageSeries, int]) -> dict[str, object]:
    """A bucket as a row of `usage_roll_ups`."""
    return {
        "bucket_start": to_epoch(bucket.start),
        "series": numbers[bucket.series],
        "windows": bucket.windows,
        "offered": bucket.offered,
        "admitted": bucket.admitted,
        "rejected": bucket.rejected,
        "retried": bucket.retried,
        "completed": bucket.completed,
        "input_tokens": bucket.input_tokens,
        "output_tokens": bucket.output_tokens,
        "windows_without_input": bucket.windows_without_input,
        "windows_without_output": bucket.windows_without_output,
        "ttft": bytes_of(bucket.ttft),
        "itl": bytes_of(bucket.itl),
        "e2e": bytes_of(bucket.e2e),
    }
