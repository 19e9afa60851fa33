"""Autoregressive moving-average residuals: Yule-Walker fits, and paths from fixed coefficients."""

from __future__ import annotations

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.methods.lead_weights import LeadWeights

_SMOOTHING = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
_LEAD_WEIGHTS = LeadWeights()


def yule_walker(residuals: Floats, order: int) -> Floats:
    """AR coefficients (series, order) of residuals (series, time); NaN counts as no deviation.

    The biased autocovariance keeps the fitted process stationary (Brockwell and Davis, Time Series:
    Theory and Methods, section 8.1), so that a path always returns to its season.
    """
    deviations = np.nan_to_num(residuals)
    length = deviations.shape[1]
    covariance = np.stack(
        [
            (deviations[:, lag:] * deviations[:, : max(length - lag, 0)]).sum(axis=1)
            for lag in range(order + 1)
        ],
        axis=1,
    )
    covariance[:, 0] = covariance[:, 0] * (1 + 1e-9) + 1e-12
    places = np.abs(np.arange(order)[:, None] - np.arange(order)[None, :])
    solved: Floats = np.linalg.solve(covariance[:, places], covariance[:, 1:, None])
    return solved[:, :, 0]


def best_smoothing(filled: Floats, ahead: int) -> Floats:
    """The share of each innovation that stays in the level, one of eight, by squared error `ahead`."""
    shares = np.array(_SMOOTHING)[:, None]
    level = np.zeros((len(_SMOOTHING), len(filled)))
    levels = np.empty((filled.shape[1], *level.shape))
    for bucket, values in enumerate(np.ascontiguousarray(filled.T)):
        level = level + shares * (values - level)
        levels[bucket] = level
    errors = filled.T[ahead:, None, :] - levels[: max(filled.shape[1] - ahead, 0)]
    best: Floats = np.array(_SMOOTHING)[np.argmin((errors**2).sum(axis=0), axis=0)]
    return best


def innovations(filled: Floats, ar: Floats, ma: Floats, quiet: int = 0) -> Floats:
    """One-step errors of an ARMA on hole-free values, the past before the first taken as zero.

    The first `quiet` values are taken as just what was expected: their errors are zero. Written out
    in numpy: scipy.signal's filters would cost every process that forecasts 77 MB.
    """
    if not ma.shape[1]:
        return np.zeros_like(filled)
    differences = filled.copy()
    for lag in range(1, ar.shape[1] + 1):
        differences[:, lag:] -= ar[:, lag - 1, None] * filled[:, : max(filled.shape[1] - lag, 0)]
    differences[:, :quiet] = 0.0
    errors = np.ascontiguousarray(differences.T)
    lags = np.flatnonzero(ma.any(axis=0)) + 1
    for bucket in range(len(errors)):
        for lag in lags[lags <= bucket]:
            errors[bucket] -= ma[:, lag - 1] * errors[bucket - lag]
    return np.ascontiguousarray(errors.T)


def paths(
    filled: Floats, ar: Floats, ma: Floats, origins: Ints, leads: Ints, *, quiet: int = 0
) -> Floats:
    """Expected values (series, origins, leads), linear in the last values and innovations."""
    weights = _LEAD_WEIGHTS.of(ar, ma, leads)
    state = np.concatenate(
        [
            _lags(filled, origins, ar.shape[1]),
            _lags(innovations(filled, ar, ma, quiet), origins, ma.shape[1]),
        ],
        axis=2,
    )
    # One small product per series: its bits do not depend on how many others there are.
    expected: Floats = np.matmul(state, weights)
    return expected


def _lags(values: Floats, origins: Ints, count: int) -> Floats:
    """(series, origins, count): the values 1, 2, … buckets before each origin, 0 before the first."""
    places = origins[:, None] - np.arange(1, count + 1)[None, :]
    return np.where(places >= 0, values[:, np.maximum(places, 0)], 0.0)
