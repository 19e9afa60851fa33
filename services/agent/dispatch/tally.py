"""Counts decisions and ends of requests, for people, for Prometheus and for the demo."""

from __future__ import annotations

from dataclasses import asdict, dataclass

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


@dataclass(slots=True)
class Tally:
    """Counts since the start; the names are those of `DispatchCounts`."""

    asked: int = 0
    placed_by_signals: int = 0
    placed_in_turn: int = 0
    session_kept: int = 0
    queued: int = 0
    other_region: int = 0
    shed: int = 0
    refused: int = 0
    withdrawn: int = 0
    finished: int = 0
    given_up: int = 0

    def decided(self, outcome: Outcome) -> None:
        """A decision that is no repetition."""
        match outcome:
            case Placed(basis=basis, session_kept=kept):
                self.placed_by_signals += basis is PlacementBasis.SIGNALS
                self.placed_in_turn += basis is PlacementBasis.ROUND_ROBIN
                self.session_kept += kept
            case Queued():
                self.queued += 1
            case OtherRegion():
                self.other_region += 1
            case Shed():
                self.shed += 1
            case Refused():
                self.refused += 1
            case Withdrawn():
                self.withdrawn += 1

    def ended(self, completion: Completion) -> None:
        """A request ended for the first time."""
        if completion.outcome is CompletionOutcome.FINISHED:
            self.finished += 1
        else:
            self.given_up += 1

    @property
    def counts(self) -> DispatchCounts:
        """As they stand."""
        return DispatchCounts(**asdict(self))
