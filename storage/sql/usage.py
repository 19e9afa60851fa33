"""The usage history on SQL: everything that one call brings is durable in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy import Connection, case, func, select

from heliostat.model.demand import DemandSeries, TokenMix
from heliostat.model.instants import Span, from_epoch
from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import UsageBatch, UsageBucket, UsageQuery, UsageReceipt, UsageSeries
from storage.notify import Topic
from storage.reading import DemandReader, watermarks
from storage.receiving import accepted
from storage.sql.database import Database, Transaction, put_many
from storage.sql.interned import Names
from storage.sql.tables import (
    usage_coverage,
    usage_open_buckets,
    usage_reported,
    usage_roll_ups,
    usage_sequences,
    usage_windows,
)
from storage.sql.usage_arrivals import Arrivals, demand_keys_of, lines_of, since, with_aggregates
from storage.sql.usage_buckets import SqlUsageBuckets
from storage.sql.usage_keep import UsageKeeper, lock_retention
from storage.sql.usage_read import SqlUsageSource
from storage.sql.usage_windows import write_windows

_log = logging.getLogger(__name__)


class SqlUsage:
    """Keeps `UsageHistory`'s promise in tables."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names
        self._keeper = UsageKeeper(database, names)
        self._with_traffic: set[UsageSeries] = set()
        """Series whose demand keys are stored for sure."""

    # --- in ------------------------------------------------------------------------------------

    def record(self, batches: Sequence[UsageBatch]) -> tuple[UsageReceipt, ...]:
        sources = self._names.sources.numbers({batch.source_id for batch in batches})
        series = self._names.series.numbers({s for batch in batches for s in batch.series})
        self._learn_demand_keys(batches)
        with self._database.write() as tx:
            pruned = lock_retention(self._database, tx, exclusively=False)
            news, receipts = accepted(batches, _SequenceReader(tx.connection))
            self._store([_without_pruned(b, pruned) for b in news], tx, sources, series)
            if news:
                tx.tell(Topic.USAGE)
        return receipts

    def durable_sequence(self, source_id: str, incarnation: int) -> int:
        with self._database.read() as connection:
            return _SequenceReader(connection)(source_id, incarnation)

    def _store(
        self,
        news: Sequence[UsageBatch],
        tx: Transaction,
        sources: Mapping[str, int],
        series: Mapping[UsageSeries, int],
    ) -> None:
        write_windows(
            tx, chain.from_iterable(lines_of(b, sources[b.source_id], series) for b in news)
        )
        arrivals = Arrivals()
        reached: dict[tuple[str, int], int] = {}
        for batch in news:
            arrivals.note(batch, sources[batch.source_id])
            reached[batch.source_id, batch.incarnation] = batch.sequence
        self._put_arrivals(tx, arrivals)
        self._put_sequences(tx, reached)

    def _put_arrivals(self, tx: Transaction, arrivals: Arrivals) -> None:
        c = usage_coverage.c
        covered = self._database.insert(usage_coverage)
        put_many(
            tx,
            covered.on_conflict_do_update(
                index_elements=[c.origin, c.bucket_start],
                set_={"minutes": c.minutes.bitwise_or(covered.excluded.minutes)},
            ),
            [
                {"origin": origin, "bucket_start": bucket, "minutes": minutes}
                for (origin, bucket), minutes in sorted(arrivals.coverage.items())
            ],
        )
        until = usage_reported.c.until
        heard = self._database.insert(usage_reported)
        later = case((heard.excluded.until > until, heard.excluded.until), else_=until)
        put_many(
            tx,
            heard.on_conflict_do_update(index_elements=["origin", "source"], set_={"until": later}),
            [
                {"origin": origin, "source": source, "until": end}
                for (origin, source), end in sorted(arrivals.reported_until.items())
            ],
        )
        opened = self._database.insert(usage_open_buckets)
        put_many(
            tx,
            opened.on_conflict_do_update(
                index_elements=["bucket_start"],
                set_={"changes": usage_open_buckets.c.changes + 1},
            ),
            [{"bucket_start": bucket, "changes": 1} for bucket in arrivals.buckets],
        )

    def _put_sequences(self, tx: Transaction, reached: Mapping[tuple[str, int], int]) -> None:
        durable = usage_sequences.c.durable_sequence
        counted = self._database.insert(usage_sequences)
        new = counted.excluded.durable_sequence
        put_many(
            tx,
            counted.on_conflict_do_update(
                index_elements=["source_id", "incarnation"],
                set_={"durable_sequence": case((new > durable, new), else_=durable)},
            ),
            [
                {"source_id": source, "incarnation": incarnation, "durable_sequence": sequence}
                for (source, incarnation), sequence in sorted(reached.items())
            ],
        )

    def _learn_demand_keys(self, batches: Sequence[UsageBatch]) -> None:
        """Before the windows are stored: what is read meanwhile must not lack them. Only of batches that will
        be, and without windows that come after retention. Raises SequenceGap."""
        new = self._new_demand_keys(batches)
        if new:  # as good as never: a look at what is refused costs the others nothing
            with self._database.read() as connection:
                pruned = self._source(connection).pruned_before()
                news, _ = accepted(batches, _SequenceReader(connection, lock=False))
            new = self._new_demand_keys([since(batch, pruned)[0] for batch in news])
        if new:
            self._names.demand.numbers(with_aggregates(new.values()))
            self._with_traffic.update(new)

    def _new_demand_keys(self, batches: Sequence[UsageBatch]) -> dict[UsageSeries, DemandKey]:
        return {
            series: key
            for batch in batches
            for series, key in demand_keys_of(batch, self._with_traffic).items()
        }

    # --- out -----------------------------------------------------------------------------------

    def query(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        with self._database.read() as connection:
            return SqlUsageBuckets(connection, self._names).buckets(query)

    def net_offered(self, span: Span) -> Mapping[DemandKey, Mapping[datetime, int]]:
        with self._database.read() as connection:
            return self._source(connection).net_offered(span)

    def demand(self, span: Span, step: timedelta) -> tuple[DemandSeries, ...]:
        with self._database.read() as connection:
            return DemandReader(self._source(connection)).demand(span, step)

    def token_mixes(self, span: Span) -> tuple[TokenMix, ...]:
        with self._database.read() as connection:
            return DemandReader(self._source(connection)).token_mixes(span)

    def watermark(self, now: datetime) -> Mapping[RegionName, datetime]:
        with self._database.read() as connection:
            rows = connection.execute(select(usage_reported.c.origin, usage_reported.c.until))
            return watermarks(((RegionName(origin), until) for origin, until in rows), now)

    def first_window(self) -> datetime | None:
        rolled, window = usage_roll_ups.c.bucket_start, usage_windows.c.window_start
        with self._database.read() as connection:
            # Quarters of which the minutes are kept have roll-ups too, which begin before their first window.
            gone = rolled < self._source(connection).pruned_before()
            queries = (select(func.min(rolled)).where(gone), select(func.min(window)))
            found = [connection.execute(query).scalar() for query in queries]
        first = min((start for start in found if start is not None), default=None)
        return None if first is None else from_epoch(first)

    def minutes_kept_from(self) -> datetime:
        with self._database.read() as connection:
            return from_epoch(self._source(connection).pruned_before())

    # --- keeping -------------------------------------------------------------------------------

    def roll_up(self, now: datetime) -> int:
        return self._keeper.roll_up(now)

    def prune(self, windows_before: datetime, roll_ups_before: datetime) -> int:
        return self._keeper.prune(windows_before, roll_ups_before)

    def _source(self, connection: Connection) -> SqlUsageSource:
        return SqlUsageSource(connection, self._names)


class _SequenceReader:
    """Looks durable sequences up inside one transaction."""

    def __init__(self, connection: Connection, *, lock: bool = True) -> None:
        self._connection = connection
        self._lock = lock

    def __call__(self, source_id: str, incarnation: int) -> int:
        c = usage_sequences.c
        query = select(c.durable_sequence).where(
            c.source_id == source_id, c.incarnation == incarnation
        )
        query = query.with_for_update() if self._lock else query
        return self._connection.execute(query).scalar() or 0


def _without_pruned(batch: UsageBatch, pruned_before: int) -> UsageBatch:
    if not len(batch) or min(batch.window_start) >= pruned_before:
        return batch
    kept, dropped = since(batch, pruned_before)
    _log.warning("usage_windows_came_after_retention: %d of %s", dropped, batch.source_id)
    return kept
