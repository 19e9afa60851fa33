"""Bridges gaps from the past only, so that no value looks ahead.

A residual is carried over a hole and fades by half every hour, back to what the season expects.
A level is taken from the same time yesterday, else last week, else from the last measurement.
"""

from __future__ import annotations

import numpy as np

from forecasting.grid import Floats, Grid, Ints


def last_observed(values: Floats) -> Ints:
    """Per series and bucket the newest observed bucket at or before it, -1 where there is none."""
    buckets = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    return np.maximum.accumulate(buckets, axis=1)


def newest_observed(values: Floats) -> Ints:
    """Per series its newest observed bucket, -1 where there is none."""
    seen = ~np.isnan(values)
    return np.where(seen.any(axis=1), values.shape[1] - 1 - seen[:, ::-1].argmax(axis=1), -1)


def carry(values: Floats) -> Floats:
    """The last measurement carried forward; NaN before the first."""
    places = last_observed(values)
    carried = np.take_along_axis(values, np.maximum(places, 0), axis=1)
    return np.where(places < 0, np.nan, carried)


def fade(residuals: Floats, grid: Grid) -> Floats:
    """Residuals without holes: the last one carried, halved every hour; 0 before the first."""
    if not np.isnan(residuals).any():
        return residuals
    places = last_observed(residuals)
    carried = np.take_along_axis(residuals, np.maximum(places, 0), axis=1)
    age = (np.arange(residuals.shape[1]) - places) / grid.per_hour
    return np.where(places < 0, 0.0, np.nan_to_num(carried) * 0.5**age)


def bridge(values: Floats, grid: Grid) -> Floats:
    """Levels without holes after the first measurement, by the same time yesterday or last week.

    A hole longer than a day is bridged by what its own first day was bridged with. NaN before the
    first measurement.
    """
    bridged = values.copy()
    for lag in (grid.per_day, grid.per_week):
        for begin in range(lag, values.shape[1], lag):
            block = bridged[:, begin : begin + lag]
            before = bridged[:, begin - lag : begin - lag + block.shape[1]]
            np.copyto(block, before, where=np.isnan(block))
    return carry(bridged)
