"""Naive baselines: the last value, and the same time yesterday or last week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.holes import bridge, carry
from forecasting.methods.method import Parameters
from forecasting.panel import Panel


@dataclass(frozen=True, slots=True)
class LastValue:
    """Tomorrow is like the last measurement."""

    name: str = "last-value"
    needs: timedelta = timedelta(0)

    def fit(self, panel: Panel) -> Parameters:
        return _nothing(panel)

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        last = carry(panel.values[:, : origins.max()])[:, origins - 1]
        return np.repeat(last[:, :, None], len(leads), axis=2)


@dataclass(frozen=True, slots=True)
class SameTime:
    """Every bucket is like its counterpart `days` before, or a whole multiple of that."""

    name: str
    days: int
    needs: timedelta

    def fit(self, panel: Panel) -> Parameters:
        return _nothing(panel)

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        period = self.days * panel.grid.per_day
        # A week's bridge may come from two weeks back, so keep that much and no more.
        begin = max(0, int(origins.min()) - 3 * max(period, panel.grid.per_week))
        recent = panel.since(begin)
        levels = bridge(recent.values[:, : origins.max() - begin], panel.grid)
        periods_back = -(-leads // period)
        source = (origins[:, None] - begin) + (leads - 1 - periods_back * period)[None, :]
        found = levels[:, np.maximum(source, 0)]
        last = levels[:, origins - begin - 1][:, :, None]
        return np.where((source >= 0)[None] & ~np.isnan(found), found, last)


SAME_TIME_YESTERDAY = SameTime("same-time-yesterday", days=1, needs=timedelta(days=1))
SAME_TIME_LAST_WEEK = SameTime("same-time-last-week", days=7, needs=timedelta(days=7))
NAIVE = (LastValue(), SAME_TIME_YESTERDAY, SAME_TIME_LAST_WEEK)
"""The naive rivals."""


def _nothing(panel: Panel) -> Parameters:
    return {"none": np.zeros((panel.series, 0))}
