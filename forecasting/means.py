"""Means over observed buckets; unmeasured buckets have no weight."""

from __future__ import annotations

import numpy as np

from forecasting.grid import Floats


def observed_mean(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """The mean along `axis` over what is not NaN; NaN where nothing is."""
    holes = np.isnan(values)
    if values.size and not holes.any():
        mean: Floats = values.copy("K").mean(axis=axis)  # adds in the order of np.nansum
        return mean
    seen = (~holes).sum(axis=axis)
    return np.where(seen > 0, np.nansum(values, axis=axis) / np.maximum(seen, 1), np.nan)
