"""Forecasts, champions and scores on SQL; quantile rows are packed float64 and read back exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select

from heliostat.errors import UnknownForecast
from heliostat.model.forecast import (
    Champion,
    Forecast,
    ForecastExcerpt,
    ForecastScore,
    scored_leads,
)
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import SeriesKey
from storage.codec import dumps, loads
from storage.sql.database import Database, put_many
from storage.sql.interned import Names
from storage.sql.leadership import SqlLeadership
from storage.sql.tables import champions, forecast_scores, forecast_series, forecasts

Rows = tuple[tuple[float, ...], ...]

_EXCERPT_COLUMNS = (
    "series",
    "issued_at",
    "start",
    "step_seconds",
    "method",
    "trained_until",
    "levels",
    "mean",
)


class SqlForecasts:
    """Keeps `ForecastLedger`'s promise in tables."""

    def __init__(self, database: Database, names: Names, leadership: SqlLeadership) -> None:
        self._database = database
        self._names = names
        self._leadership = leadership

    def store(self, issued: Sequence[Forecast], *, epoch: int) -> None:
        numbers = self._names.forecasts.numbers({forecast.key for forecast in issued})
        rows = [_row(forecast, numbers[forecast.key]) for forecast in issued]
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
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
            found = [_forecast(row, named) for row in connection.execute(query)]
        return tuple(sorted(found, key=lambda forecast: (forecast.issued_at, forecast.key)))

    def excerpts(self, span: Span, keys: Sequence[SeriesKey]) -> tuple[ForecastExcerpt, ...]:
        if not keys:
            return ()
        columns = [forecasts.c[name] for name in _EXCERPT_COLUMNS]
        with self._database.read() as connection:
            named = self._series(connection, keys)
            wanted = forecasts.c.series.in_(list(named))
            rows = connection.execute(select(*columns).where(_issued_in(span), wanted))
            found = [_excerpt(row, named) for row in rows]
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
                    where=new.at >= forecast_scores.c.at,
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
        found = [_forecast(row, named) for row in connection.execute(query)]
        return tuple(sorted(found, key=lambda forecast: forecast.key))

    def _series(self, connection: Connection, keys: Iterable[SeriesKey]) -> dict[int, SeriesKey]:
        wanted = set(keys)
        everything = self._names.forecasts.all(connection)
        return {n: key for n, key in everything.items() if not wanted or key in wanted}


def _issued_in(span: Span) -> ColumnElement[bool]:
    at = forecasts.c.issued_at
    return (at >= to_epoch(span.start)) & (at < to_epoch(span.end))


def _row(forecast: Forecast, series: int) -> dict[str, object]:
    return {
        "series": series,
        "issued_at": to_epoch(forecast.issued_at),
        "start": to_epoch(forecast.start),
        "step_seconds": int(forecast.step.total_seconds()),
        "method": forecast.method,
        "trained_until": forecast.trained_until.isoformat(),
        "degraded": forecast.degraded,
        "levels": _packed((forecast.levels,)),
        "mean": _packed(forecast.mean),
        "peak": _packed(forecast.peak),
    }


def _forecast(row: Row[Any], named: dict[int, SeriesKey]) -> Forecast:
    levels = _unpacked(row.levels, 1)[0]
    return Forecast(
        key=named[row.series],
        issued_at=from_epoch(row.issued_at),
        start=from_epoch(row.start),
        step=timedelta(seconds=row.step_seconds),
        method=row.method,
        trained_until=datetime.fromisoformat(row.trained_until),
        levels=levels,
        mean=_unpacked(row.mean, len(levels)),
        peak=_unpacked(row.peak, len(levels)),
        degraded=row.degraded,
    )


def _excerpt(row: Row[Any], named: dict[int, SeriesKey]) -> ForecastExcerpt:
    levels = _unpacked(row.levels, 1)[0]
    mean = np.frombuffer(row.mean, "<f8").reshape(len(levels), -1)
    step = timedelta(seconds=row.step_seconds)
    leads = scored_leads(step, mean.shape[1])
    return ForecastExcerpt(
        key=named[row.series],
        issued_at=from_epoch(row.issued_at),
        start=from_epoch(row.start),
        step=step,
        method=row.method,
        trained_until=datetime.fromisoformat(row.trained_until),
        levels=levels,
        leads=leads,
        mean=tuple(map(tuple, mean[:, leads].tolist())),
    )


def _packed(rows: Rows) -> bytes:
    return np.array(rows, "<f8").tobytes()


def _unpacked(data: bytes, rows: int) -> Rows:
    return tuple(map(tuple, np.frombuffer(data, "<f8").reshape(rows, -1).tolist()))
