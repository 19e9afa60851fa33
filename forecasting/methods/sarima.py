"""Seasonal ARIMA (1,0,1)(0,1,1)[24] on hourly means, interpolated to the buckets of the grid.

    (1 - φB)(1 - B²⁴) y = (1 + θB)(1 + ΘB²⁴) ε,    y = log(hourly mean / level + 0.05)

(Box, Jenkins, Reinsel and Ljung, Time Series Analysis, chapter 9.) Quarter hours would need
[96], which costs minutes and gigabytes a series; hours cost half a second and lose little.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from forecasting.grid import HOUR_SECONDS, Floats, Grid, Ints
from forecasting.holes import bridge
from forecasting.means import observed_mean
from forecasting.methods.arima import BRIEFLY, is_stationary, quietly
from forecasting.methods.arma import paths
from forecasting.methods.harmonic import scale_parameters
from forecasting.methods.method import Parameters
from forecasting.methods.transform import from_log, to_log
from forecasting.panel import Panel

_DAY = 24
_MEMORY_DAYS = 21  # that are filtered; Θ = -0.95 still weighs the first of them with a third.
_STARTING_DAYS = 7
_FIT_DAYS = 15  # two weeks of differences: the likelihood costs time in proportion to them.
_FALLBACK = (0.7, 0.0, -0.6)
"""φ, θ, Θ where the likelihood cannot be climbed: a slow level and a slowly learnt season."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlySarima:
    """Seasonal ARIMA on hours, φ, θ and Θ by maximum likelihood, fixed ones where it has no peak."""

    name: str = "hourly-sarima"
    needs: timedelta = timedelta(days=7)

    def fit(self, panel: Panel) -> Parameters:
        scale = scale_parameters(panel)
        hours = _hourly(panel, scale["level"][:, 0]).values
        newest = hours[:, -_FIT_DAYS * _DAY :]
        found = np.array([_estimate(row[~np.isnan(row)]) for row in newest])
        return {**scale, "phi_theta_season": found}

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        per_hour, levels = panel.grid.per_hour, parameters["level"][:, 0]
        oldest = max(0, int(origins.min()) - _MEMORY_DAYS * panel.grid.per_day)
        begin = _at_full_hour(panel.grid, oldest)
        recent = panel.since(begin).until(int(origins.max()) - begin)
        hours = _hourly(recent, levels).values
        known = (origins - begin) // per_hour  # whole hours before each origin
        ahead = np.arange(1, int(leads.max()) // per_hour + 3)
        path = _hourly_paths(parameters["phi_theta_season"], hours, known, ahead)
        # Hour j's mean stands at its middle. The last known hour leads the path.
        path = np.concatenate([hours[:, known - 1][:, :, None], path], axis=2)
        middle = (origins - begin)[:, None] + leads[None, :] - 0.5
        logs = _between(path, middle / per_hour - 0.5 - (known - 1)[:, None])
        return from_log(logs, levels, parameters["highest"][:, 0])


def _hourly_paths(coefficients: Floats, hours: Floats, known: Ints, ahead: Ints) -> Floats:
    """Expected hours (series, origins, ahead).

    The filter starts on the mean day of (at most) the first week before every origin, instead of
    one noisy first day, which a Θ near -1 would remember for weeks.
    """
    ar, ma = _expand(coefficients)
    series = len(hours)
    days = min(_STARTING_DAYS, int(known.min()) // _DAY)
    week = hours[:, : days * _DAY].reshape(series, days, _DAY)
    overall, day = np.nan_to_num(observed_mean(week, axis=(1, 2))), observed_mean(week, axis=1)
    day = np.where(np.isnan(day), overall[:, None], day)
    pad = np.concatenate([day[:, -1:], day], axis=1)
    hours = np.where(np.isnan(hours), day[:, np.arange(hours.shape[1]) % _DAY], hours)
    padded = np.concatenate([pad, hours], axis=1)
    return paths(padded, ar, ma, known + pad.shape[1], ahead, quiet=pad.shape[1])


def _between(path: Floats, places: Floats) -> Floats:
    """Linear interpolation of path (series, origins, hours) at places (origins, leads)."""
    left = np.clip(np.floor(places).astype(np.int64), 0, path.shape[2] - 2)
    share = np.clip(places - left, 0.0, 1.0)
    rows = np.arange(len(places))[:, None]
    between: Floats = path[:, rows, left] * (1 - share) + path[:, rows, left + 1] * share
    return between


def _at_full_hour(grid: Grid, bucket: int) -> int:
    """The first bucket at or after this one that begins an hour."""
    late = (grid.start + bucket * grid.step) % HOUR_SECONDS
    return bucket + (-(-(HOUR_SECONDS - late) // grid.step) if late else 0)


def _hourly(panel: Panel, levels: Floats) -> Panel:
    """Logarithms of the means of whole hours, bridged; starts at the panel's first full hour."""
    per_hour = panel.grid.per_hour
    recent = panel.since(_at_full_hour(panel.grid, 0))
    whole = recent.length // per_hour
    blocks = recent.values[:, : whole * per_hour].reshape(panel.series, whole, per_hour)
    grid = Grid(start=recent.grid.start, step=HOUR_SECONDS, calendar=recent.grid.calendar)
    logs = bridge(to_log(observed_mean(blocks, axis=2), levels), grid)
    return Panel(grid=grid, values=logs, peaks=logs)


def _estimate(hours: Floats) -> Floats:
    """φ, θ, Θ by maximum likelihood on the seasonal differences."""
    differences = hours[_DAY:] - hours[:-_DAY]
    if len(differences) < 2 * _DAY or np.ptp(differences) < 1e-9:
        return np.array(_FALLBACK)
    from statsmodels.tsa.arima.estimators.innovations import innovations_mle

    found = quietly(
        lambda: innovations_mle(
            differences,
            order=(1, 0, 1),
            seasonal_order=(0, 0, 1, _DAY),
            demean=False,
            minimize_kwargs=BRIEFLY,
        )[0]
    )
    if found is None:
        return np.array(_FALLBACK)
    phi, theta, season = found.ar_params[0], found.ma_params[0], found.seasonal_ma_params[0]
    invertible = is_stationary(np.array([-theta])) and is_stationary(np.array([-season]))
    if not (invertible and is_stationary(np.array([phi]))):
        return np.array(_FALLBACK)
    return np.array([phi, theta, np.clip(season, -0.95, 0.95)])


def _expand(coefficients: Floats) -> tuple[Floats, Floats]:
    """AR and MA coefficients of the multiplied-out polynomials, 25 lags each."""
    phi, theta, season = coefficients.T
    ar, ma = np.zeros((2, len(coefficients), _DAY + 1))
    ar[:, 0], ar[:, _DAY - 1], ar[:, _DAY] = phi, 1.0, -phi
    ma[:, 0], ma[:, _DAY - 1], ma[:, _DAY] = theta, season, theta * season
    return ar, ma
