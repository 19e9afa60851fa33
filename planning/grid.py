"""The steps of a horizon: when each begins, how long it is, and when an order is ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from heliostat.model.instants import Span, floor_to
from planning.arrays import Floats, Ints
from planning.milp.instance import NEVER
from planning.settings import PlannerSettings

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Consecutive steps; `near` of them have the length of the first."""

    spans: tuple[Span, ...]
    near: int

    @property
    def steps(self) -> int:
        """T."""
        return len(self.spans)

    @property
    def hours(self) -> Floats:
        """Length of each step in hours."""
        return np.array([span.length / timedelta(hours=1) for span in self.spans])

    def arrival(self, lead_time: timedelta) -> Ints:
        """For an order at the beginning of each step: the first step that begins with it ready."""
        begins = [span.start for span in self.spans]
        return np.array(
            [
                next((s for s in range(t, self.steps) if begins[s] >= begins[t] + lead_time), NEVER)
                for t in range(self.steps)
            ],
            dtype=np.int64,
        )


def horizon(at: datetime, settings: PlannerSettings) -> Grid:
    """Near steps from the present minute on, then far ones."""
    begin = floor_to(at, _MINUTE)
    lengths = [settings.near_step] * settings.near_steps + [settings.far_step] * settings.far_steps
    spans: list[Span] = []
    for length in lengths:
        spans.append(Span(begin, begin + length))
        begin += length
    return Grid(tuple(spans), settings.near_steps)
