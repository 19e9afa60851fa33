"""Usage by the minute: the columns that gateways report and the rows that queries return.

A *window* is one minute of one series as seen by one source. Its key is `(source_id, series,
window_start)`; a higher revision replaces a lower one, sources are summed. Counts are
*offered, admitted, rejected, retried, completed*; tokens of completed output are booked to the
window in which the request arrived, by revision. A source that reports a minute reports every
series that had traffic in it: a series absent from a reported minute is a true zero, a minute
that no source of the region reported is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, to_epoch
from heliostat.model.latency import LatencySketch, bytes_of
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier

WINDOW = timedelta(minutes=1)
MAX_COUNT_PER_WINDOW = 10**9
MAX_TOKENS_PER_WINDOW = 10**13


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UsageSeries:
    """Requests of one tier for one model from one origin region, served in one region."""

    origin: RegionName
    serving: RegionName
    model: ModelName
    tier: Tier

    @property
    def demand(self) -> DemandKey:
        """Whose demand it is, wherever it was served."""
        return DemandKey(origin=self.origin, model=self.model, tier=self.tier)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageWindow:
    """One minute of one series from one source, as a row; the convenient form of a batch's line."""

    series: UsageSeries
    start: datetime
    revision: int = 1
    offered: int = 0
    admitted: int = 0
    rejected: int = 0
    retried: int = 0
    completed: int = 0
    input_tokens: int | None = None
    """Prompt tokens of all offered requests; None = not measured."""
    output_tokens: int | None = None
    """Generated tokens of completed requests; None = not measured."""
    ttft: LatencySketch | None = None
    itl: LatencySketch | None = None
    e2e: LatencySketch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBatch:
    """Many windows of one source as columns of equal length; made and checked column by column.

    `series` is a dictionary that `series_index` points into. `window_start` is in epoch seconds.
    `sequence` counts 1, 2, 3 … within `(source_id, incarnation)`; an incarnation is one life of
    the source, later lives have higher numbers. Token columns hold None where nothing was
    measured; sketch columns hold `LatencySketch.to_bytes()` or None.
    """

    source_id: str
    incarnation: int
    sequence: int
    series: tuple[UsageSeries, ...]
    series_index: Sequence[int]
    window_start: Sequence[int]
    revision: Sequence[int]
    offered: Sequence[int]
    admitted: Sequence[int]
    rejected: Sequence[int]
    retried: Sequence[int]
    completed: Sequence[int]
    input_tokens: Sequence[int | None]
    output_tokens: Sequence[int | None]
    ttft: Sequence[bytes | None]
    itl: Sequence[bytes | None]
    e2e: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.window_start)

    def __post_init__(self) -> None:
        if not self.source_id:
            raise InvalidInput("source_id", "is empty")
        if self.incarnation < 1 or self.sequence < 1:
            raise InvalidInput("sequence", "incarnation and sequence start at 1")
        self._check_lengths()
        if not len(self):
            return
        self._check_ranges()
        self._check_relations()

    def _check_lengths(self) -> None:
        for name in COLUMNS:
            if len(getattr(self, name)) != len(self):
                raise InvalidInput(
                    name, f"has {len(getattr(self, name))} values, window_start has {len(self)}"
                )

    def _check_ranges(self) -> None:
        if min(self.series_index) < 0 or max(self.series_index) >= len(self.series):
            raise InvalidInput("series_index", f"must be within [0, {len(self.series)})")
        if min(self.revision) < 1:
            raise InvalidInput("revision", "starts at 1")
        step = int(WINDOW.total_seconds())
        if min(self.window_start) < 0 or any(start % step for start in set(self.window_start)):
            raise InvalidInput("window_start", "must be whole minutes in epoch seconds")
        for name in ("offered", "admitted", "rejected", "retried", "completed"):
            _check_column(name, getattr(self, name), MAX_COUNT_PER_WINDOW)
        for name in ("input_tokens", "output_tokens"):
            measured = [n for n in getattr(self, name) if n is not None]
            if measured:
                _check_column(name, measured, MAX_TOKENS_PER_WINDOW)

    def _check_relations(self) -> None:
        for offered, admitted, rejected, retried, completed in zip(
            self.offered, self.admitted, self.rejected, self.retried, self.completed, strict=True
        ):
            if admitted + rejected > offered or completed > admitted or retried > offered:
                raise InvalidInput(
                    "counts",
                    f"offered={offered} admitted={admitted} rejected={rejected} retried={retried} "
                    f"completed={completed} breaks admitted + rejected ≤ offered, "
                    "completed ≤ admitted, retried ≤ offered",
                )


COLUMNS = (
    "series_index",
    "window_start",
    "revision",
    "offered",
    "admitted",
    "rejected",
    "retried",
    "completed",
    "input_tokens",
    "output_tokens",
    "ttft",
    "itl",
    "e2e",
)


def batch_of(
    windows: Sequence[UsageWindow], *, source_id: str, incarnation: int, sequence: int
) -> UsageBatch:
    """The windows as one columnar batch, in the order given."""
    places: dict[UsageSeries, int] = {}
    index = [places.setdefault(window.series, len(places)) for window in windows]
    return UsageBatch(
        source_id=source_id,
        incarnation=incarnation,
        sequence=sequence,
        series=tuple(places),
        series_index=index,
        window_start=[to_epoch(window.start) for window in windows],
        revision=[window.revision for window in windows],
        offered=[window.offered for window in windows],
        admitted=[window.admitted for window in windows],
        rejected=[window.rejected for window in windows],
        retried=[window.retried for window in windows],
        completed=[window.completed for window in windows],
        input_tokens=[window.input_tokens for window in windows],
        output_tokens=[window.output_tokens for window in windows],
        ttft=[bytes_of(window.ttft) for window in windows],
        itl=[bytes_of(window.itl) for window in windows],
        e2e=[bytes_of(window.e2e) for window in windows],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReceipt:
    """What became of a batch: the highest durable sequence of its source and incarnation."""

    source_id: str
    incarnation: int
    durable_sequence: int
    replayed: bool = False
    """True when the batch had been stored before and changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which usage to look at; an empty filter matches everything. `bucket` divides `span`."""

    span: Span
    bucket: timedelta = timedelta(minutes=15)
    origins: frozenset[RegionName] = frozenset()
    servings: frozenset[RegionName] = frozenset()
    models: frozenset[ModelName] = frozenset()
    tiers: frozenset[Tier] = frozenset()
    with_latency: bool = True

    def __post_init__(self) -> None:
        if self.bucket < WINDOW or self.bucket % WINDOW:
            raise InvalidInput("bucket", f"{self.bucket} is not a multiple of {WINDOW}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket:
    """All sources' windows of one series inside one bucket, summed.

    Token sums cover the windows that measured them; `windows_without_*` counts the others, and a
    sum is None when no window measured it.
    """

    series: UsageSeries
    start: datetime
    windows: int
    offered: int
    admitted: int
    rejected: int
    retried: int
    completed: int
    input_tokens: int | None
    output_tokens: int | None
    windows_without_input: int = 0
    windows_without_output: int = 0
    ttft: LatencySketch | None = None
    itl: LatencySketch | None = None
    e2e: LatencySketch | None = None


def _check_column(name: str, column: Sequence[int], limit: int) -> None:
    if min(column) < 0 or max(column) > limit:
        worst = min(column) if min(column) < 0 else max(column)
        raise InvalidInput(name, f"{worst} is outside [0, {limit}] for one minute")
