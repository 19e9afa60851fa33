"""Issued forecasts, champions and scores in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from threading import RLock
from typing import TypeVar

from heliostat.errors import UnknownForecast
from heliostat.model.forecast import Champion, Forecast, ForecastExcerpt, ForecastScore
from heliostat.model.instants import Span
from heliostat.model.names import SeriesKey
from heliostat.ports.decisions import CLOCK_SET_BACK
from storage.memory.leadership import MemoryLeadership


class MemoryForecasts:
    """Keeps `ForecastLedger`'s promise in dictionaries.

    With `whole_for`, forecasts that are older than the newest by more than that stand as their
    excerpts alone: `issued`, `latest` and `get` know them no more. Two days ahead for a hundred series
    take 7 MB, their excerpts a fortieth, and a simulated week issues 672 times.
    """

    def __init__(
        self, leadership: MemoryLeadership, lock: RLock, *, whole_for: timedelta | None = None
    ) -> None:
        self._leadership = leadership
        self._lock = lock
        self._whole_for = whole_for
        self._issued: dict[SeriesKey, dict[datetime, Forecast]] = {}
        """Whole ones of each series by instant, ascending."""
        self._excerpts: dict[SeriesKey, dict[datetime, ForecastExcerpt]] = {}
        self._newest_issue: datetime | None = None
        self._champions: tuple[Champion, ...] = ()
        self._scores: dict[tuple[SeriesKey, str, timedelta], ForecastScore] = {}

    def store(self, forecasts: Sequence[Forecast], *, epoch: int) -> None:
        with self._lock:
            self._leadership.check(epoch)
            self._drop_ahead_of(forecasts)
            for forecast in forecasts:
                self._keep(forecast)

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
            return _within(self._issued, span, set(keys) or self._issued)

    def excerpts(self, span: Span, keys: Sequence[SeriesKey]) -> tuple[ForecastExcerpt, ...]:
        with self._lock:
            return _within(self._excerpts, span, set(keys))

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
                self._scores[score.key, score.method, score.horizon] = score

    def scores(self, keys: Sequence[SeriesKey] = ()) -> tuple[ForecastScore, ...]:
        with self._lock:
            places = sorted(self._scores)
            wanted = set(keys)
            return tuple(self._scores[p] for p in places if not wanted or p[0] in wanted)

    def prune(self, issued_before: datetime) -> int:
        with self._lock:
            old = [
                (key, at) for key, by in self._excerpts.items() for at in by if at < issued_before
            ]
            for key, at in old:
                del self._excerpts[key][at]
                self._issued[key].pop(at, None)
            return len(old)

    def _drop_ahead_of(self, forecasts: Sequence[Forecast]) -> None:
        """Drop what a clock issued that has been set back since."""
        newest = max((forecast.issued_at for forecast in forecasts), default=None)
        if newest is None:
            return
        limit, before = newest + CLOCK_SET_BACK, self._newest_issue or newest
        if before <= limit:
            self._newest_issue = max(newest, before)
            return
        self._newest_issue = newest
        for key, by_instant in self._excerpts.items():
            for at in [at for at in by_instant if at > limit]:
                del by_instant[at]
                self._issued[key].pop(at, None)

    def _keep(self, forecast: Forecast) -> None:
        whole = self._issued.setdefault(forecast.key, {})
        excerpts = self._excerpts.setdefault(forecast.key, {})
        if forecast.issued_at in excerpts:
            return
        is_newest = not whole or next(reversed(whole)) < forecast.issued_at
        whole[forecast.issued_at], excerpts[forecast.issued_at] = forecast, forecast.excerpt()
        if not is_newest:
            whole = self._issued[forecast.key] = dict(sorted(whole.items()))
        if self._whole_for is not None:
            limit = next(reversed(whole)) - self._whole_for
            for at in list(takewhile(lambda at: at < limit, whole)):
                del whole[at]

    def _newest(self, key: SeriesKey, at: datetime) -> Forecast | None:
        newest_first = reversed(self._issued.get(key, {}).items())
        return next((forecast for issued_at, forecast in newest_first if issued_at <= at), None)


_Issued = TypeVar("_Issued", Forecast, ForecastExcerpt)


def _within(
    known: Mapping[SeriesKey, Mapping[datetime, _Issued]], span: Span, keys: Iterable[SeriesKey]
) -> tuple[_Issued, ...]:
    """What was issued inside the span for these series, by instant, then by key."""
    start, end = span.start, span.end
    found: dict[datetime, list[_Issued]] = {}
    for key in sorted(keys):
        for at, forecast in known.get(key, {}).items():
            if start <= at < end:
                found.setdefault(at, []).append(forecast)
    return tuple(forecast for at in sorted(found) for forecast in found[at])
