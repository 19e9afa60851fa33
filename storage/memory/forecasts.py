"""Issued forecasts, champions and scores in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import RLock

from heliostat.errors import UnknownForecast
from heliostat.model.forecast import Champion, Forecast, ForecastExcerpt, ForecastScore
from heliostat.model.instants import Span
from heliostat.model.names import SeriesKey
from storage.memory.leadership import MemoryLeadership


class MemoryForecasts:
    """Keeps `ForecastLedger`'s promise in dictionaries."""

    def __init__(self, leadership: MemoryLeadership, lock: RLock) -> None:
        self._leadership = leadership
        self._lock = lock
        self._issued: dict[SeriesKey, dict[datetime, Forecast]] = {}
        self._champions: tuple[Champion, ...] = ()
        self._scores: dict[tuple[SeriesKey, str, timedelta], tuple[datetime, ForecastScore]] = {}

    def store(self, forecasts: Sequence[Forecast], *, epoch: int) -> None:
        with self._lock:
            self._leadership.check(epoch)
            for forecast in forecasts:
                self._issued.setdefault(forecast.key, {}).setdefault(forecast.issued_at, forecast)

    def latest(self, at: datetime) -> tuple[Forecast, ...]:
        with self._lock:
            newest = (self._newest(key, at) for key in sorted(self._issued))
            return tuple(forecast for forecast in newest if forecast is not None)

    def get(self, key: SeriesKey, at: datetime) -> Forecast:
        with self._lock:
            newest = self._newest(key, at)
        if newest is None:
            raise UnknownForecast(f"{key} at {at.isoformat()}")
        return newest

    def issued(self, span: Span, keys: Sequence[SeriesKey] = ()) -> tuple[Forecast, ...]:
        with self._lock:
            found = [
                forecast
                for key in sorted(set(keys) or self._issued)
                for at, forecast in self._issued.get(key, {}).items()
                if at in span
            ]
        return tuple(sorted(found, key=lambda forecast: (forecast.issued_at, forecast.key)))

    def excerpts(self, span: Span, keys: Sequence[SeriesKey]) -> tuple[ForecastExcerpt, ...]:
        found = self.issued(span, keys) if keys else ()
        return tuple(forecast.excerpt() for forecast in found)

    def store_champions(self, champions: Sequence[Champion], *, epoch: int) -> None:
        with self._lock:
            self._leadership.check(epoch)
            self._champions = tuple(sorted(champions, key=lambda champion: champion.key))

    def champions(self) -> tuple[Champion, ...]:
        return self._champions

    def store_scores(self, scores: Sequence[ForecastScore], at: datetime, *, epoch: int) -> None:
        with self._lock:
            self._leadership.check(epoch)
            for score in scores:
                place = (score.key, score.method, score.horizon)
                if place not in self._scores or self._scores[place][0] <= at:
                    self._scores[place] = (at, score)

    def scores(self, keys: Sequence[SeriesKey] = ()) -> tuple[ForecastScore, ...]:
        with self._lock:
            places = sorted(self._scores)
            wanted = set(keys)
            return tuple(self._scores[p][1] for p in places if not wanted or p[0] in wanted)

    def prune(self, issued_before: datetime) -> int:
        with self._lock:
            old = [(key, at) for key, by in self._issued.items() for at in by if at < issued_before]
            for key, at in old:
                del self._issued[key][at]
            return len(old)

    def _newest(self, key: SeriesKey, at: datetime) -> Forecast | None:
        issued = self._issued.get(key, {})
        newest = max((instant for instant in issued if instant <= at), default=None)
        return None if newest is None else issued[newest]
