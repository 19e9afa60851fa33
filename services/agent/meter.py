"""Usage windows: from engines' counters where gateways do not report, or none at all where they do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from heliostat.model.instants import floor_to
from heliostat.model.names import PoolKey, RegionName, Tier
from heliostat.model.usage import WINDOW, UsageSeries, UsageWindow


class SilentMeter:
    """For regions whose gateways report: the agent itself counts nothing."""

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class _Sum:
    """One series' minute so far; a kind of tokens that any engine did not measure is not measured."""

    finished: float = 0.0
    prompt: float | None = 0.0
    generated: float | None = 0.0


class EngineMeter:
    """Counts what the region's engines finished, by the minute in which it was seen.

    Engines know neither tier nor origin: all is booked to one tier and to this region. They see no
    rejected requests either, so offered = admitted = completed. The minute in which the agent starts, or the
    clock was set back, is left out (its first part was not seen): it is missing, not small.
    """

    def __init__(self, *, region: RegionName, tier: Tier, clock: Callable[[], datetime]) -> None:
        self._region = region
        self._tier = tier
        self._clock = clock
        self._first = floor_to(clock(), WINDOW)
        self._sums: dict[tuple[datetime, UsageSeries], _Sum] = {}
        self._turn = threading.Lock()

    def heard(self, engine: str, pool: PoolKey, added: Mapping[str, float | None]) -> None:
        """Take in what an engine's counters added; an engine that counts no requests adds nothing."""
        finished = added.get("finished_requests")
        if finished is None:
            return
        series = UsageSeries(
            origin=self._region, serving=self._region, model=pool.model, tier=self._tier
        )
        minute = floor_to(self._clock(), WINDOW)
        key = (minute, series)
        with self._turn:
            if any(start > minute for start, _ in self._sums):
                self._first = minute
                self._sums = {k: v for k, v in self._sums.items() if k[0] < minute}
            before = self._sums.get(key, _Sum())
            self._sums[key] = replace(
                before,
                finished=before.finished + finished,
                prompt=_plus(before.prompt, added.get("prompt_tokens")),
                generated=_plus(before.generated, added.get("generated_tokens")),
            )

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        """Minutes that are over, traffic or not: a looked-at minute without traffic is a true zero."""
        open_minute = floor_to(now, WINDOW)
        with self._turn:
            over = sorted(key for key in self._sums if key[0] < open_minute)
            closed = [(key, self._sums.pop(key)) for key in over]
        return tuple(
            _window(start, series, total)
            for (start, series), total in closed
            if start != self._first
        )


def _window(start: datetime, series: UsageSeries, total: _Sum) -> UsageWindow:
    requests = round(total.finished)
    return UsageWindow(
        series=series,
        start=start,
        offered=requests,
        admitted=requests,
        completed=requests,
        input_tokens=None if total.prompt is None else round(total.prompt),
        output_tokens=None if total.generated is None else round(total.generated),
    )


def _plus(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more
