"""Counts ages from instants that may lie in the future, since the clock that took them was set back."""

from __future__ import annotations

from datetime import datetime


class Ages:
    """From when the age of each thing counts: from its instant, or from the first look where that is still
    to come. Else a thing that stopped would have no age for as long as the clock had been ahead."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[datetime, datetime]] = {}

    def since(self, thing: str, at: datetime, now: datetime) -> datetime:
        """At or before `now`; the same until `at` changes or the clock is set back again."""
        known, counted = self._counted.get(thing, (at, at))
        since = min(counted if known == at else at, now)
        self._counted[thing] = (at, since)
        return since
