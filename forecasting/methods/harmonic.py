"""Dynamic harmonic regression: Fourier terms of day and week, days off, autoregressive errors.

    log(rate / level + 0.05) = β·x(t) + e(t),    e an AR(p) or ARMA(p, q) process

(Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 10.5.) The fast
form takes β by least squares on the buckets that were observed and the AR part by Yule-Walker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np

from forecasting.grid import Floats, Grid, Ints
from forecasting.holes import fade
from forecasting.methods.arma import best_smoothing, paths, yule_walker
from forecasting.methods.harmonics import Harmonics
from forecasting.methods.method import Parameters
from forecasting.methods.transform import from_log, level, to_log
from forecasting.panel import Panel

_RIDGE = 1e-4
MEMORY_DAYS = 2
"""Days of residuals that a path starts from: an AR state has forgotten all before."""


@lru_cache(maxsize=16)
def _design(harmonics: Harmonics, grid: Grid, length: int) -> tuple[Floats, Floats]:
    """The regressors of a whole panel and their Gram matrix."""
    x = harmonics.rows(grid, 0, length)
    return x, x.T @ x


def regress(logs: Floats, grid: Grid, harmonics: Harmonics) -> Floats:
    """β by least squares on what was observed, lightly ridged; shape (series, columns)."""
    x, gram = _design(harmonics, grid, logs.shape[1])
    seen = ~np.isnan(logs)
    grams = np.array([gram if row.all() else x[row].T @ x[row] for row in seen])
    grams += _RIDGE * np.maximum(seen.sum(axis=1), 1)[:, None, None] * np.eye(x.shape[1])
    moments = np.array([x.T @ row for row in np.nan_to_num(logs)])
    # The constant is not shrunk: take it out before, put it back after.
    centre = np.nan_to_num(logs).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    moments -= centre[:, None] * np.array([x[row].sum(axis=0) for row in seen])
    beta: Floats = np.linalg.solve(grams, moments[:, :, None])[:, :, 0]
    beta[:, 0] += centre
    return beta


def deviations(logs: Floats, grid: Grid, harmonics: Harmonics, beta: Floats) -> Floats:
    """What the season does not explain, holes kept."""
    x = harmonics.rows(grid, 0, logs.shape[1])
    unexplained: Floats = logs - np.matmul(x, beta[:, :, None])[:, :, 0]
    return unexplained


def harmonic_path(
    parameters: Parameters, harmonics: Harmonics, panel: Panel, origins: Ints, leads: Ints
) -> Floats:
    """Season plus the expected path of its errors, back on the scale of rates."""
    grid, levels = panel.grid, parameters["level"][:, 0]
    begin = max(0, int(origins.min()) - MEMORY_DAYS * grid.per_day)
    recent = panel.since(begin)
    beta = parameters["beta"]
    logs = to_log(recent.values[:, : origins.max() - begin], levels)
    errors = fade(deviations(logs, recent.grid, harmonics, beta), grid)
    path = paths(errors, parameters["ar"], parameters["ma"], origins - begin, leads)
    buckets = (origins[:, None] + leads[None, :] - 1).ravel()
    unique, places = np.unique(buckets, return_inverse=True)
    first = int(unique[0])
    ahead = harmonics.rows(grid, first, int(unique[-1]) + 1)[unique - first]
    season = np.matmul(ahead, beta[:, :, None])[:, :, 0]
    path = path + season[:, places].reshape(path.shape)
    return from_log(path, levels, parameters["highest"][:, 0])


def scale_parameters(panel: Panel) -> dict[str, Floats]:
    """The level and the highest rate of each series, shape (series, 1)."""
    highest = np.max(np.nan_to_num(panel.values), axis=1, initial=0.0)
    return {"level": level(panel.values)[:, None], "highest": highest[:, None]}


def fit_season(panel: Panel, harmonics: Harmonics) -> tuple[dict[str, Floats], Floats]:
    """The parameters of scale and season, and what the season does not explain, holes kept."""
    scale = scale_parameters(panel)
    logs = to_log(panel.values, scale["level"][:, 0])
    beta = regress(logs, panel.grid, harmonics)
    return {**scale, "beta": beta}, deviations(logs, panel.grid, harmonics, beta)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicAr:
    """Dynamic harmonic regression in its fast form: least squares, then Yule-Walker AR(p) errors."""

    name: str = "harmonic-ar"
    needs: timedelta = timedelta(days=14)
    harmonics: Harmonics = Harmonics()
    order: int = 4

    def fit(self, panel: Panel) -> Parameters:
        season, errors = fit_season(panel, self.harmonics)
        ar = yule_walker(errors, self.order)
        return {**season, "ar": ar, "ma": np.zeros((panel.series, 0))}

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        return harmonic_path(parameters, self.harmonics, panel, origins, leads)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicLevel:
    """The same season on a level that wanders: ARIMA(0,1,1) errors, no way back to the old level.

    Its deviation does not fade, which suits holidays, growth and weeks unlike the ones before.
    """

    name: str = "harmonic-level"
    needs: timedelta = timedelta(days=14)
    harmonics: Harmonics = Harmonics()

    def fit(self, panel: Panel) -> Parameters:
        season, errors = fit_season(panel, self.harmonics)
        share = best_smoothing(fade(errors, panel.grid), panel.grid.per_hour)
        return {**season, "ar": np.ones((panel.series, 1)), "ma": share[:, None] - 1.0}

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        return harmonic_path(parameters, self.harmonics, panel, origins, leads)


HARMONIC_AR = HarmonicAr()
"""The default where there is enough history."""
DAYS_OFF_HARMONIC_AR = HarmonicAr(
    name="days-off-harmonic-ar",
    needs=timedelta(days=7),
    harmonics=Harmonics(weekly=0, days_off=1),
)
"""One week shows what a day off is, and cannot tell the other weekdays apart."""
DAILY_HARMONIC_AR = HarmonicAr(
    name="daily-harmonic-ar",
    needs=timedelta(days=2),
    harmonics=Harmonics(daily=3, weekly=0, days_off=None),
)
"""What two days of history can carry: a day's shape."""
HARMONIC_LEVEL = HarmonicLevel()
"""Where the season holds and the level does not."""
DAILY_HARMONIC_LEVEL = HarmonicLevel(
    name="daily-harmonic-level",
    needs=timedelta(days=2),
    harmonics=DAILY_HARMONIC_AR.harmonics,
)
"""A day's shape on a wandering level."""
