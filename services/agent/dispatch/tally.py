"""Counts decisions and ends of requests, for people, for Prometheus and for the demo."""

from __future__ import annotations

from collections import Counter

from heliostat.model.dispatch import (
    Completion,
    CompletionOutcome,
    OtherRegion,
    Outcome,
    Placed,
    PlacementBasis,
    Queued,
    Refused,
    Shed,
    Withdrawn,
)
from heliostat.model.dispatch_view import DispatchCounts

_BY = {
    PlacementBasis.SIGNALS: "placed_by_signals",
    PlacementBasis.ROUND_ROBIN: "placed_in_turn",
}


class Tally:
    """Counts since the start, under the names of `DispatchCounts`."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def asked(self) -> None:
        """A request without a preceding ask."""
        self._seen["asked"] += 1

    def decided(self, outcome: Outcome) -> None:
        """A decision that is no repetition."""
        match outcome:
            case Placed(basis=basis, session_kept=kept):
                self._seen[_BY[basis]] += 1
                self._seen["session_kept"] += kept
            case Queued():
                self._seen["queued"] += 1
            case OtherRegion():
                self._seen["other_region"] += 1
            case Shed():
                self._seen["shed"] += 1
            case Refused():
                self._seen["refused"] += 1
            case Withdrawn():
                self._seen["withdrawn"] += 1

    def rebalanced(self) -> None:
        """A place that was given elsewhere than to the first choice."""
        self._seen["rebalanced"] += 1

    def ended(self, completion: Completion) -> None:
        """A request ended for the first time."""
        finished = completion.outcome is CompletionOutcome.FINISHED
        self._seen["finished" if finished else "given_up"] += 1

    def left(self, requests: int) -> None:
        """Requests that waited for a gateway that is gone."""
        self._seen["given_up"] += requests

    @property
    def counts(self) -> DispatchCounts:
        """As they stand."""
        return DispatchCounts(**self._seen)
