"""Fits a method on history and learns its errors on rolling origins inside that same history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from forecasting.conformal import (
    Calibration,
    floors,
    lead_ladder,
    peak_ratios,
    score_table,
    scored_until,
    scores,
)
from forecasting.grid import Floats, Grid, Ints
from forecasting.methods.method import Method, Parameters, take
from forecasting.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRule:
    """How errors are collected: over the last third of history, at most `longest`.

    `origins` is a target: the spacing is rounded down to whole buckets, so up to 2 · `origins` - 1 are used.
    """

    longest: timedelta = timedelta(days=10)
    origins: int = 120

    def window(self, grid: Grid, length: int) -> int:
        """How many buckets at the end of a history are kept for errors."""
        return min(grid.buckets(self.longest), length // 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What is remembered of one series: a method's parameters and how wrong it used to be."""

    parameters: Parameters
    calibration: Calibration


def fit(
    method: Method, panel: Panel, *, steps: int, levels: tuple[float, ...], rule: CalibrationRule
) -> list[Fitted]:
    """One result per row of the panel; its columns are all that may be known.

    Errors come from parameters that were fitted before the calibration window; the parameters that
    are returned are fitted on everything.
    """
    parameters = method.fit(panel)
    calibrations = _calibrate(method, panel, steps, levels, rule)
    return [
        Fitted(parameters=take(parameters, [row]), calibration=calibration)
        for row, calibration in enumerate(calibrations)
    ]


def rolling_errors(
    method: Method, panel: Panel, *, begin: int, origins: Ints, leads: Ints
) -> tuple[Floats, Floats, Floats]:
    """Forecasts, truths and peaks (series, origins, leads); parameters know only what is before `begin`."""
    forecast = method.predict(method.fit(panel.until(begin)), panel, origins, leads)
    buckets = origins[:, None] + leads[None, :] - 1
    inside = buckets < panel.length
    places = np.minimum(buckets, panel.length - 1)
    truth = np.where(inside, panel.values[:, places], np.nan)
    peaks = np.where(inside, panel.peaks[:, places], np.nan)
    return forecast, truth, peaks


def _calibrate(
    method: Method, panel: Panel, steps: int, levels: tuple[float, ...], rule: CalibrationRule
) -> list[Calibration]:
    window = rule.window(panel.grid, panel.length)
    leads = lead_ladder(steps)
    floor, ratios = floors(panel.values), peak_ratios(panel.values, panel.peaks)
    if window == 0:
        empty = np.full((panel.series, 1, len(leads)), np.nan)
        return _tables(empty, empty, leads, levels, floor, ratios)
    begin = panel.length - window
    origins = np.arange(begin, panel.length, max(1, window // rule.origins))
    forecast, truth, peaks = rolling_errors(
        method, panel, begin=begin, origins=origins, leads=leads
    )
    mean = scores(truth, forecast, floor)
    peak = scores(peaks / ratios[:, None, None], forecast, floor)
    return _tables(mean, peak, leads, levels, floor, ratios)


def _tables(
    mean: Floats,
    peak: Floats,
    leads: Ints,
    levels: tuple[float, ...],
    floor: Floats,
    ratios: Floats,
) -> list[Calibration]:
    return [
        Calibration(
            leads=leads,
            mean=score_table(mean[row], levels),
            peak=score_table(peak[row], levels),
            mean_until=scored_until(mean[row], leads),
            peak_until=scored_until(peak[row], leads),
            floor=float(floor[row]),
            peak_ratio=float(ratios[row]),
            peaks_seen=not np.isnan(peak[row]).all(),
            scored=int((~np.isnan(mean[row])).any(axis=1).sum()),
        )
        for row in range(len(floor))
    ]
