"""Counts what a simulated region's gateways saw: every minute reported, holes and all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from heliostat.model.usage import WINDOW, UsageSeries, UsageWindow
from simulation.troubles import CloudTroubles


class RegionMeter:
    """Implements `heliostat.ports.agent.UsageMeter` for requests that arrive in one region.

    A minute without traffic is reported with one window of zeros, so that it is a true zero and not
    missing; a minute inside a telemetry hole is not reported, or without its token counts. What is
    delayed is told later, in the order in which it happened. Of a window that was revised again before
    anybody asked only the last revision is told: it replaces the others wherever they go.
    """

    def __init__(self, *, quiet_series: UsageSeries, troubles: CloudTroubles) -> None:
        """`quiet_series` carries the zeros of minutes in which nothing arrived."""
        self._quiet_series = quiet_series
        self._troubles = troubles
        self._closed: deque[tuple[datetime, UsageWindow]] = deque()
        """What may be told from an instant on, in order of time."""

    def close(self, minute: datetime, windows: Iterable[UsageWindow], *, silent: bool) -> None:
        """Take in a minute's windows and the revisions of older ones; a silent minute leaves none.

        `silent` = the source of the arrivals knows nothing of this minute.
        """
        seen = list(windows)
        if not silent and all(window.start != minute for window in seen):
            seen.append(UsageWindow(series=self._quiet_series, start=minute))
        from_then_on = minute + WINDOW + self._troubles.telemetry_delay
        for window in seen:
            told = self._told(window)
            if told is not None:
                self._closed.append((from_then_on, told))

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        newest: dict[tuple[UsageSeries, datetime], UsageWindow] = {}
        while self._closed and (self._closed[0][0] <= now or not self._troubles.telemetry_delay):
            window = self._closed.popleft()[1]
            newest[window.series, window.start] = window
        return tuple(newest.values())

    def _told(self, window: UsageWindow) -> UsageWindow | None:
        hole = self._troubles.hole(window.start)
        if hole is None:
            return window
        if not hole.only_tokens:
            return None
        return replace(window, input_tokens=None, output_tokens=None)
