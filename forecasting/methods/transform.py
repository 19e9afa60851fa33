"""Demand on a logarithmic scale, where a daily cycle multiplies and noise is even."""

from __future__ import annotations

import numpy as np

from forecasting.grid import Floats
from forecasting.means import observed_mean

_SHIFT = 0.05
_CEILING = 4.0


def level(values: Floats) -> Floats:
    """The mean observed rate of each series, 1 where it is zero or unknown; shape (series,)."""
    mean = observed_mean(values, axis=1)
    return np.where(mean > 0, mean, 1.0)


def to_log(values: Floats, levels: Floats) -> Floats:
    """log(rate / level + 0.05): zero demand stays finite, the trough of a 20:1 cycle stays calm."""
    return np.log(values / levels[:, None] + _SHIFT)


def from_log(logs: Floats, levels: Floats, highest: Floats) -> Floats:
    """Back to rates of shape (series, …), never negative and never above 4 × the highest rate seen."""
    shape = (-1,) + (1,) * (logs.ndim - 1)
    scale = levels.reshape(shape)
    ceiling = np.maximum(_CEILING * highest, levels).reshape(shape)
    return np.clip(scale * (np.exp(np.minimum(logs, 50.0)) - _SHIFT), 0.0, ceiling)
