"""Every stored window in memory, by minute; what is asked often costs a dictionary of small integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.model.names import DemandKey
from heliostat.model.usage import UsageBatch, UsageBucket, UsageSeries
from storage.fold import Table
from storage.memory.windows import (
    OFFERED,
    RETRIED,
    REVISION,
    Window,
    bucket_of,
    minutes_of,
    windows_of,
)
from storage.reading import minute_starts


@dataclass(frozen=True, slots=True)
class News:
    """What a batch brought: minutes (epoch seconds) per demand, demand that was offered (a window that a
    higher revision beats says so too), and how many windows came after retention."""

    minutes: Mapping[DemandKey, set[int]]
    offered: tuple[DemandKey, ...]
    late: int


class Shelf:
    """Windows by minute and *place*, a place being a series as one source sees it."""

    def __init__(self) -> None:
        self._places: dict[tuple[UsageSeries, str], int] = {}
        self._series: list[UsageSeries] = []
        self._demands: list[DemandKey] = []
        self._first_of: list[int] = []
        self._numbers: list[int] = []
        """Of each place the series, its demand, the first place of the series and the demand's number."""
        self._first_place: dict[UsageSeries, int] = {}
        self._number_of: dict[DemandKey, int] = {}
        """Of each demand that has a place, its number; they ascend."""
        self._minutes: dict[int, dict[int, Window]] = {}

    def put(self, batch: UsageBatch, *, not_before: int) -> News:
        """Keep the batch's windows; of two of one minute and place the higher revision stays."""
        places = [self._place(series, batch.source_id) for series in batch.series]
        brought: list[set[int]] = [set() for _ in places]
        offered: set[int] = set()
        late = 0
        for index, start, window in windows_of(batch):
            if start < not_before:
                late += 1
                continue
            if window[OFFERED]:
                offered.add(index)
            minute = self._minutes.get(start)
            if minute is None:
                minute = self._minutes[start] = {}
            place = places[index]
            before = minute.get(place)
            if before is not None and before[REVISION] >= window[REVISION]:
                continue
            minute[place] = window
            brought[index].add(start)
        minutes: dict[DemandKey, set[int]] = {}
        for place, starts in zip(places, brought, strict=True):
            if starts:
                minutes.setdefault(self._demands[place], set()).update(starts)
        demands = dict.fromkeys(self._demands[places[index]] for index in sorted(offered))
        return News(minutes, tuple(demands), late)

    def drop_before(self, limit: int) -> int:
        """Forget every minute before that instant (epoch seconds); returns how many windows went."""
        old = [start for start in self._minutes if start < limit]
        return sum(len(self._minutes.pop(start)) for start in old)

    def starts(self) -> Iterator[int]:
        """Every minute of which there is a window."""
        return iter(self._minutes)

    def series_in(self, span: Span) -> int:
        """How many series have a window in the span."""
        found: set[int] = set()
        for start in minute_starts(span):
            found.update(self._minutes.get(start, ()))
        return len({self._first_of[place] for place in found})

    def rows(self, span: Span, keys: Mapping[DemandKey, int]) -> Table:
        """The windows of the span as a table of `storage.fold.MINUTE`; demand without a key is left out."""
        key_of = {
            place: keys[demand] for place, demand in enumerate(self._demands) if demand in keys
        }
        all_wanted = len(key_of) == len(self._demands)
        places: list[int] = []
        starts: list[int] = []
        windows: list[Window] = []
        for start in minute_starts(span):
            minute = self._minutes.get(start)
            if minute is None:
                continue
            known = minute if all_wanted else [place for place in key_of if place in minute]
            places += known
            starts += [start] * len(known)
            windows += map(minute.__getitem__, known)
        return minutes_of([key_of[place] for place in places], starts, windows)

    def net_offered(self, span: Span) -> dict[DemandKey, dict[datetime, int]]:
        """Requests less retries per demand and minute that begins in the span."""
        by_number: dict[int, dict[datetime, int]] = defaultdict(dict)
        for start in minute_starts(span):
            at = from_epoch(start)
            for place, window in self._minutes.get(start, {}).items():
                row = by_number[self._numbers[place]]
                row[at] = row.get(at, 0) + window[OFFERED] - window[RETRIED]
        demands = list(self._number_of)
        return {demands[number]: row for number, row in by_number.items()}

    def buckets(
        self,
        span: Span,
        length: int,
        matches: Callable[[UsageSeries], bool],
        *,
        with_latency: bool,
    ) -> list[UsageBucket]:
        """The windows of matching series in buckets of `length` seconds from the span's start."""
        matching = [matches(series) for series in self._series]
        first = to_epoch(span.start)
        found: dict[tuple[int, int], list[Window]] = {}
        for start in minute_starts(span):
            begin = first + (start - first) // length * length
            for place, window in self._minutes.get(start, {}).items():
                if matching[place]:
                    found.setdefault((begin, self._first_of[place]), []).append(window)
        return [
            bucket_of(self._series[place], begin, windows, with_latency=with_latency)
            for (begin, place), windows in found.items()
        ]

    def _place(self, series: UsageSeries, source_id: str) -> int:
        place = self._places.setdefault((series, source_id), len(self._series))
        if place == len(self._series):
            self._series.append(series)
            self._demands.append(series.demand)
            self._first_of.append(self._first_place.setdefault(series, place))
            self._numbers.append(self._number_of.setdefault(series.demand, len(self._number_of)))
        return place
