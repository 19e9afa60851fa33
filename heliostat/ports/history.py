"""The port of usage history: reported usage, and the demand derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from heliostat.model.demand import DemandSeries, TokenMix
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, RegionName
from heliostat.model.usage import UsageBatch, UsageBucket, UsageQuery, UsageReceipt


class UsageHistory(Protocol):
    """Stores usage windows once, whatever is replayed, and sums them up.

    Key `(source_id, series, window_start)`: a higher revision replaces, an equal or lower one
    changes nothing, sources are summed. A window from before what was pruned changes nothing.
    """

    def record(self, batches: Sequence[UsageBatch]) -> tuple[UsageReceipt, ...]:
        """Store the batches durably, all or none, and say how far each source is durable.

        A sequence at or below the durable one of its (source, incarnation) is a replay and changes
        nothing. Repeatable. Raises SequenceGap when a batch skips a sequence (a new incarnation
        may start anywhere), StorageUnavailable when nothing was stored and a retry may help.
        """
        ...

    def durable_sequence(self, source_id: str, incarnation: int) -> int:
        """The highest durable sequence; 0 for an unknown source."""
        ...

    def query(self, query: UsageQuery) -> tuple[UsageBucket, ...]:
        """Non-empty buckets ordered by (start, series); () when nothing matches.

        Full resolution as far as retention reaches, the 15-minute roll-up before that (then
        `query.bucket` must be a multiple of 15 minutes; raises InvalidInput otherwise).
        """
        ...

    def net_offered(self, span: Span) -> Mapping[DemandKey, Mapping[datetime, int]]:
        """Requests offered less retries of each minute that begins in `span`, by its start, per origin,
        model and tier. Minutes of which no window is kept are absent."""
        ...

    def demand(self, span: Span, step: timedelta) -> tuple[DemandSeries, ...]:
        """Per (origin, model, tier, token kind) that ever had traffic, and per aggregate over origins,
        demand on the grid of `span`. A window that came too late to be kept is no traffic; one that a higher
        revision beats is.

        A bucket is None when fewer than half of its minutes were reported by its origin (for an
        aggregate: when any origin in use is None), or, for output tokens, measured. An origin is not in
        use from three days after its last report on, nor until three days before its first one, while
        others report.
        Output demand of requests that were shed is their count × the mean output of completed ones.
        """
        ...

    def token_mixes(self, span: Span) -> tuple[TokenMix, ...]:
        """Measured mean tokens per request in `span` of each (model, tier), of all origins together
        (EVERYWHERE) and of each origin; () when nothing was measured."""
        ...

    def watermark(self, now: datetime) -> Mapping[RegionName, datetime]:
        """Per origin the instant up to which all its live sources reported (live = heard of within
        ten minutes before `now`); origins without a live source are absent."""
        ...

    def first_window(self) -> datetime | None:
        """The start of the earliest window kept in any form, of one that is only kept rolled up that of its
        15 minutes; None for an empty history."""
        ...

    def minutes_kept_from(self) -> datetime:
        """From when on windows are kept minute by minute: a whole quarter of an hour, 1970 while nothing was
        pruned. What is older is rolled up, or gone."""
        ...

    def roll_up(self, now: datetime) -> int:
        """Fold closed minutes into 15-minute rows; repeatable; returns the rows written."""
        ...

    def prune(self, windows_before: datetime, roll_ups_before: datetime) -> int:
        """Drop windows (only ones that are rolled up) and roll-ups before these; returns rows removed."""
        ...
