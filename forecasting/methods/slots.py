"""Slot of week: the level of each bucket of the week, recent weeks counting more, plus AR errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.holes import fade
from forecasting.methods.arma import paths, yule_walker
from forecasting.methods.harmonic import MEMORY_DAYS, scale_parameters
from forecasting.methods.method import Parameters
from forecasting.methods.transform import from_log, to_log
from forecasting.panel import Panel

_UNSEEN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekSlotAr:
    """Weighted mean per slot of the week (a week back counts `fading` times), smoothed, AR(p) errors."""

    name: str = "week-slot-ar"
    needs: timedelta = timedelta(days=14)
    fading: float = 0.8
    order: int = 4

    def fit(self, panel: Panel) -> Parameters:
        scale = scale_parameters(panel)
        grid = panel.grid
        logs = to_log(panel.values, scale["level"][:, 0])
        slots = grid.week_slots(np.arange(panel.length))
        weights = ~np.isnan(logs) * self.fading ** (
            (panel.length - 1 - np.arange(panel.length)) // grid.per_week
        )
        sums, mass = np.zeros((2, panel.series, grid.per_week))
        # Weeks are added one by one, so that equal slots meet in a fixed order.
        for begin in range(0, panel.length, grid.per_week):
            week = slice(begin, begin + grid.per_week)
            sums[:, slots[week]] += np.nan_to_num(logs[:, week]) * weights[:, week]
            mass[:, slots[week]] += weights[:, week]
        overall = sums.sum(axis=1) / np.maximum(mass.sum(axis=1), 1e-9)
        # A twentieth of a measurement at the overall mean keeps an unseen slot finite.
        profile = _smooth((sums + _UNSEEN * overall[:, None]) / (mass + _UNSEEN), grid.per_hour)
        ar = yule_walker(logs - profile[:, slots], self.order)
        return {**scale, "profile": profile, "ar": ar, "ma": np.zeros((panel.series, 0))}

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        grid, levels, profile = panel.grid, parameters["level"][:, 0], parameters["profile"]
        begin = max(0, int(origins.min()) - MEMORY_DAYS * grid.per_day)
        known = np.arange(begin, origins.max())
        logs = to_log(panel.values[:, known], levels)
        errors = fade(logs - profile[:, grid.week_slots(known)], grid)
        path = paths(errors, parameters["ar"], parameters["ma"], origins - begin, leads)
        ahead = grid.week_slots((origins[:, None] + leads[None, :] - 1).ravel())
        path = path + profile[:, ahead].reshape(path.shape)
        return from_log(path, levels, parameters["highest"][:, 0])


def _smooth(profile: Floats, per_hour: int) -> Floats:
    """A running mean over about an hour round the week's ring: four weeks are few per slot."""
    reach = per_hour // 2
    moved = [np.roll(profile, shift, axis=1) for shift in range(-reach, reach + 1)]
    smooth: Floats = np.sum(moved, axis=0) / len(moved)
    return smooth
