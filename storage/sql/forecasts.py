"""Forecasts, champions and scores on SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from heliostat.errors import UnknownForecast
from heliostat.model.forecast import (
    Champion,
    Forecast,
    ForecastExcerpt,
    ForecastScore,
)
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import SeriesKey
from heliostat.ports.decisions import CLOCK_SET_BACK
from storage.codec import dumps, loads
from storage.sql.database import Database, put_many
from storage.sql.forecast_rows import EXCERPT_COLUMNS, excerpt_of, forecast_of, row_of
from storage.sql.interned import Names
from storage.sql.leadership import SqlLeadership
from storage.sql.tables import champions, forecast_scores, forecast_series, forecasts


class SqlForecasts:
    """Keeps `ForecastLedger`'s promise in tables."""

    def __init__(self, database: Database, names: Names, leadership: SqlLeadership) -> None:
        self._database = database
        self._names = names
        self._leadership = leadership

    def store(self, issued: Sequence[Forecast], *, epoch: int) -> None:
        numbers = self._names.forecasts.numbers({forecast.key for forecast in issued})
        rows = [row_of(forecast, numbers[forecast.key]) for forecast in issued]
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            if issued:
                newest = max(forecast.issued_at for forecast in issued)
                ahead = forecasts.c.issued_at > to_epoch(newest + CLOCK_SET_BACK)
                tx.connection.execute(delete(forecasts).where(ahead))
            put_many(tx, self._database.insert(forecasts).on_conflict_do_nothing(), rows)

    def latest(self, at: datetime) -> tuple[Forecast, ...]:
        with self._database.read() as connection:
            return self._latest(connection, at)

    def get(self, key: SeriesKey, at: datetime) -> Forecast:
        with self._database.read() as connection:
            found = self._latest(connection, at, [key])
        if not found:
            raise UnknownForecast(f"{key} at {at.isoformat()}")
        return found[0]

    def issued(self, span: Span, keys: Sequence[SeriesKey] = ()) -> tuple[Forecast, ...]:
        with self._database.read() as connection:
            named = self._series(connection, keys)
            query = select(forecasts).where(_issued_in(span))
            if keys:
                query = query.where(forecasts.c.series.in_(list(named)))
            found = [forecast_of(row, named) for row in connection.execute(query)]
        return tuple(sorted(found, key=lambda forecast: (forecast.issued_at, forecast.key)))

    def excerpts(self, span: Span, keys: Sequence[SeriesKey]) -> tuple[ForecastExcerpt, ...]:
        if not keys:
            return ()
        columns = [forecasts.c[name] for name in EXCERPT_COLUMNS]
        with self._database.read() as connection:
            named = self._series(connection, keys)
            wanted = forecasts.c.series.in_(list(named))
            rows = connection.execute(select(*columns).where(_issued_in(span), wanted))
            found = [excerpt_of(row, named) for row in rows]
        return tuple(sorted(found, key=lambda excerpt: (excerpt.issued_at, excerpt.key)))

    def store_champions(self, chosen: Sequence[Champion], *, epoch: int) -> None:
        numbers = self._names.forecasts.numbers({champion.key for champion in chosen})
        rows = [{"series": numbers[c.key], "document": dumps(c)} for c in chosen]
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            tx.connection.execute(delete(champions))
            if rows:
                tx.connection.execute(insert(champions), rows)

    def champions(self) -> tuple[Champion, ...]:
        with self._database.read() as connection:
            documents = connection.execute(select(champions.c.document)).scalars()
            found = [loads(Champion, document) for document in documents]
        return tuple(sorted(found, key=lambda champion: champion.key))

    def store_scores(self, scores: Sequence[ForecastScore], at: datetime, *, epoch: int) -> None:
        numbers = self._names.forecasts.numbers({score.key for score in scores})
        rows = [
            {
                "series": numbers[score.key],
                "method": score.method,
                "horizon_seconds": int(score.horizon.total_seconds()),
                "at": to_epoch(at),
                "document": dumps(score),
            }
            for score in scores
        ]
        insertion = self._database.insert(forecast_scores)
        new = insertion.excluded
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            put_many(
                tx,
                insertion.on_conflict_do_update(
                    index_elements=["series", "method", "horizon_seconds"],
                    set_={"at": new.at, "document": new.document},
                ),
                rows,
            )

    def scores(self, keys: Sequence[SeriesKey] = ()) -> tuple[ForecastScore, ...]:
        query = select(forecast_scores.c.document)
        with self._database.read() as connection:
            if keys:
                wanted = list(self._series(connection, keys))
                query = query.where(forecast_scores.c.series.in_(wanted))
            documents = connection.execute(query).scalars()
            found = [loads(ForecastScore, document) for document in documents]
        return tuple(sorted(found, key=lambda score: (score.key, score.method, score.horizon)))

    def prune(self, issued_before: datetime) -> int:
        old = delete(forecasts).where(forecasts.c.issued_at < to_epoch(issued_before))
        with self._database.write() as tx:
            return tx.connection.execute(old).rowcount

    def _latest(
        self, connection: Connection, at: datetime, keys: Sequence[SeriesKey] = ()
    ) -> tuple[Forecast, ...]:
        c, series = forecasts.c, forecast_series.c
        newest = (
            select(func.max(c.issued_at))
            .where(c.series == series.id, c.issued_at <= to_epoch(at))
            .correlate(forecast_series)
            .scalar_subquery()
        )
        named = self._series(connection, keys)
        query = select(forecasts).join(
            forecast_series, and_(c.series == series.id, c.issued_at == newest)
        )
        if keys:
            query = query.where(series.id.in_(list(named)))
        found = [forecast_of(row, named) for row in connection.execute(query)]
        return tuple(sorted(found, key=lambda forecast: forecast.key))

    def _series(self, connection: Connection, keys: Iterable[SeriesKey]) -> dict[int, SeriesKey]:
        wanted = set(keys)
        everything = self._names.forecasts.all(connection)
        return {n: key for n, key in everything.items() if not wanted or key in wanted}


def _issued_in(span: Span) -> ColumnElement[bool]:
    at = forecasts.c.issued_at
    return (at >= to_epoch(span.start)) & (at < to_epoch(span.end))
