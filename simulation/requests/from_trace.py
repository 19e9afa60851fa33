"""Requests of a trace file, row by row as they were recorded, read in blocks as time goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from heliostat.errors import InvalidInput, InvalidTrace
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates
from simulation.requests.columns import RequestColumns, joined
from simulation.requests.rows import RowHomes
from simulation.workload.formats import TraceFormat, detect_format
from simulation.workload.load import OnRows, checked_requests
from simulation.workload.readers.ledger import SKIP_REMEDY, RowLedger
from simulation.workload.readers.parquet import RequestNotes, request_notes

NOMINAL_START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday's midnight: where a trace starts that does not say when it was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """What one reading of the whole file tells: where its clock stands, how far it goes, how many rows."""

    start: datetime
    offset_seconds: float
    span: Span
    holes: Mapping[RegionName, tuple[Span, ...]]
    rows: int
    dated: bool
    split: bool


class TraceRequests:
    """A `RequestSource` of recorded requests; nothing is drawn, scaled or shifted.

    The file is read once from end to end when the source is made, so that a bad row is told before
    anything runs, and again as time goes on; asking for what lies before the newest block starts
    reading anew. `remedy` says how the caller leaves bad rows out. Raises
    InvalidTrace, naming file and line, on rows that are unreadable, unsorted, negative or overlong, or
    that no model of the fleet takes.
    """

    def __init__(
        self,
        path: Path,
        homes: RowHomes,
        *,
        kind: TraceFormat | None = None,
        skip_bad_rows: bool = False,
        remedy: str = SKIP_REMEDY,
        on_rows: OnRows | None = None,
    ) -> None:
        self._path = path
        self._homes = homes
        self._kind = kind or detect_format(path)
        if not self._kind.holds_requests:
            raise InvalidTrace(str(path), f"is {self._kind}: it contains bins, not requests")
        self._skip_bad_rows, self._remedy = skip_bad_rows, remedy
        self._extent = self._read_through(on_rows)
        self._blocks: Iterator[RequestColumns] = iter(())
        self._kept: deque[RequestColumns] = deque()
        self._read_until = self._gone_until = float("-inf")
        self._rewind()

    @property
    def start(self) -> datetime:
        return self._extent.start

    @property
    def span(self) -> Span:
        return self._extent.span

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        return self._homes.demands

    @property
    def requests(self) -> int:
        """How many there are."""
        return self._extent.rows

    @property
    def says_when(self) -> bool:
        """The file says when it was recorded; else it starts at NOMINAL_START."""
        return self._extent.dated

    @property
    def says_whose(self) -> bool:
        """Every row names origin and tier; else some are drawn."""
        return not self._extent.split

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        asked = Span(begin, end)
        if begin < self.span.start or end > self.span.end:
            raise InvalidInput("requests", f"{asked} is not within {self.span}")
        first, last = ((at - self.start).total_seconds() for at in (begin, end))
        if first <= self._gone_until:
            self._rewind()
        while self._read_until < last and (block := next(self._blocks, None)) is not None:
            self._kept.append(block)
            self._read_until = float(block.arrival_seconds[-1])
        while self._kept and float(self._kept[0].arrival_seconds[-1]) < first:
            self._gone_until = float(self._kept.popleft().arrival_seconds[-1])
        return joined([block.between(first, last) for block in self._kept])

    def history(self) -> ArrivalRates:
        return ArrivalRates(start=self.start, by_demand={})

    def known(self, origin: RegionName, minute: datetime) -> bool:
        if minute not in self.span:
            raise InvalidInput("minute", f"{minute} is outside {self.span}")
        return not any(minute in hole for hole in self._extent.holes.get(origin, ()))

    def _rewind(self) -> None:
        self._blocks = self._columns()
        self._kept.clear()
        self._read_until = self._gone_until = float("-inf")

    def _columns(self) -> Iterator[RequestColumns]:
        ledger, row = self._ledger(), 0
        for rows, _ in checked_requests(ledger, self._kind, judge=self._homes.complaints):
            if rows.height:
                yield RequestColumns(
                    arrival_seconds=rows["arrival_s"].to_numpy() + self._extent.offset_seconds,
                    demand=self._homes.places(rows["series"], row),
                    input_tokens=rows["input_tokens"].cast(pl.Int32).to_numpy(),
                    output_tokens=rows["output_tokens"].cast(pl.Int32).to_numpy(),
                )
                row += rows.height

    def _read_through(self, on_rows: OnRows | None) -> _Extent:
        ledger, latest, split = self._ledger(), 0.0, False
        first: datetime | None = None
        for rows, rules in checked_requests(
            ledger, self._kind, on_rows, judge=self._homes.complaints
        ):
            latest = float(rows["arrival_s"][-1]) if rows.height else latest
            split = split or self._homes.splits(rows["series"])
            first = rules.start
        if not ledger.kept:
            raise ledger.refuse("contains no valid row" if ledger.bad else "contains no rows")
        notes = RequestNotes(start=first, span=None, holes={})
        if self._kind is TraceFormat.REQUESTS:
            notes = request_notes(self._path)
        first = (notes.start or NOMINAL_START).astimezone(UTC)
        start = floor_to(first, WINDOW)
        offset = first - start
        length = WINDOW * (int(latest + offset.total_seconds()) // 60 + 1)
        return _Extent(
            start=start,
            offset_seconds=offset.total_seconds(),
            span=Span(start, start + max(length, notes.span or length)),
            holes=notes.holes,
            rows=ledger.kept,
            dated=notes.start is not None,
            split=split,
        )

    def _ledger(self) -> RowLedger:
        return RowLedger(path=self._path, skip_bad_rows=self._skip_bad_rows, remedy=self._remedy)
