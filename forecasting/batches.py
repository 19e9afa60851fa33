"""Groups series into panels that can be computed together, truncated at the instant of issue.

No panel mixes series whose arrays would differ in shape if they stood alone, so every series gets
the same bits in whatever company it comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from forecasting.grid import Grid
from forecasting.holes import newest_observed
from forecasting.ladder import History
from forecasting.memory import find_memory
from forecasting.panel import Panel, panel_of
from forecasting.settings import ForecasterSettings
from heliostat.model.demand import DemandSeries
from heliostat.model.instants import floor_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Series of one grid up to the forecast's start: `places[r]` is row r's place with the caller.

    `histories[r]` is None where there is nothing to forecast from; `begins[r]` is the first bucket
    of row r that counts.
    """

    places: tuple[int, ...]
    panel: Panel
    begins: tuple[int, ...]
    histories: tuple[History | None, ...]
    start: datetime
    step: timedelta
    trained_until: tuple[datetime, ...]


def batches(
    series: Sequence[DemandSeries], *, issued_at: datetime, settings: ForecasterSettings
) -> Iterator[Batch]:
    """All series with at least one bucket, `settings.batch` at a time."""
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(series):
        if one.tokens_per_second:
            calendar = settings.calendar(one.key.demand.origin)
            alike[one.start, one.step, len(one.tokens_per_second), calendar].append(place)
    for places in alike.values():
        for first in range(0, len(places), settings.batch):
            some = places[first : first + settings.batch]
            batch = _batch(series, some, issued_at, settings)
            if batch is not None:
                yield batch


def _batch(
    series: Sequence[DemandSeries],
    places: Sequence[int],
    issued_at: datetime,
    settings: ForecasterSettings,
) -> Batch | None:
    one = series[places[0]]
    closed = floor_to(issued_at, one.step)
    start = max(one.span.end, closed)
    if start - one.span.end > settings.forget_after or closed <= one.start:
        return None
    panel = panel_of([series[place] for place in places], settings.calendar(one.key.demand.origin))
    panel = _until(
        panel, known=(closed - one.start) // one.step, end=(start - one.start) // one.step
    )
    memory = find_memory(panel.values, panel.grid, settings.shift)
    newest = newest_observed(panel.values)
    return Batch(
        places=tuple(places),
        panel=panel,
        begins=tuple(int(begin) for begin in memory.begins),
        histories=tuple(
            _history(panel, row, int(memory.begins[row]), bool(memory.shifted[row]), settings)
            for row in range(panel.series)
        ),
        start=start,
        step=one.step,
        trained_until=tuple(one.start + one.step * (int(bucket) + 1) for bucket in newest),
    )


def _until(panel: Panel, *, known: int, end: int) -> Panel:
    """The panel with `end` buckets, of which those from `known` on are not observed (yet)."""
    known = min(known, panel.length)
    if known == end == panel.length:
        return panel
    hidden = np.full((panel.series, end - known), np.nan)
    return Panel(
        grid=panel.grid,
        values=np.concatenate([panel.values[:, :known], hidden], axis=1),
        peaks=np.concatenate([panel.peaks[:, :known], hidden], axis=1),
    )


def _history(
    panel: Panel, row: int, begin: int, shifted: bool, settings: ForecasterSettings
) -> History | None:
    seen = np.flatnonzero(~np.isnan(panel.values[row, begin:]))
    if not len(seen):
        return None
    step = timedelta(seconds=panel.grid.step)
    buckets = panel.length - begin
    silence = step * int(buckets - 1 - seen[-1])
    if silence > settings.forget_after:
        return None
    return History(
        age=step * buckets,
        observed_share=len(seen) / buckets,
        silence=silence,
        shifted=shifted,
    )


def fit_bucket(grid: Grid, length: int, interval: timedelta | None) -> int:
    """The bucket before which a fit may look: the last multiple of the interval, else the end."""
    if interval is None:
        return length
    seconds = int(interval.total_seconds())
    end = grid.start + length * grid.step
    return (end // seconds * seconds - grid.start) // grid.step
