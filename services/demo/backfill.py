"""Stores what happened before the day, through the port that stores live usage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from heliostat.model.instants import floor_to, from_epoch
from heliostat.ports.history import UsageHistory
from simulation.arrivals import ArrivalRates
from simulation.history import past_batches

DAY = timedelta(days=1)


def back_fill(
    usage: UsageHistory,
    history: ArrivalRates,
    *,
    moved: Callable[[int], None],
    stopped: Callable[[], bool],
) -> int:
    """Record every minute and fold the days that are complete into quarters of an hour.

    `moved` hears how many windows are stored; `stopped` is asked after each batch. Returns the
    number of windows recorded.
    """
    recorded = 0
    folded = history.start
    for batch in past_batches(history, length=DAY):
        day = floor_to(from_epoch(batch.window_start[0]), DAY)
        if day > folded:
            usage.roll_up(day)
            folded = day
        if stopped():
            return recorded
        usage.record([batch])
        recorded += len(batch)
        moved(recorded)
    usage.roll_up(history.span.end)
    return recorded
