"""What a forecasting method is: parameters from a panel, and paths of medians from any origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.panel import Panel

Parameters = Mapping[str, Floats]
"""Small arrays by name, each with the series as its first axis."""


class Method(Protocol):
    """Fits a panel once and predicts from many origins with the parameters held fixed.

    Predicting again later *is* the warm update: states are re-filtered from the newest data, the
    parameters stay. No row of a panel influences another, down to the last bit.
    """

    @property
    def name(self) -> str:
        """Its name in forecasts, champions and scores."""
        ...

    @property
    def needs(self) -> timedelta:
        """The shortest history with which it makes sense."""
        ...

    def fit(self, panel: Panel) -> Parameters:
        """Parameters from all of the panel; never raises on holes, zeros or constants."""
        ...

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        """Centre of the demand rate, shape (series, origins, leads), tokens per second, ≥ 0.

        Origin o knows the buckets before o, and lead h ≥ 1 is bucket o + h - 1. NaN where nothing
        was observed before the origin.
        """
        ...


def take(parameters: Parameters, rows: Sequence[int]) -> Parameters:
    """The parameters of these series."""
    index = list(rows)
    return {name: array[index] for name, array in parameters.items()}


def stack(parameters: Sequence[Parameters]) -> Parameters:
    """Parameters of single series under one first axis."""
    return {name: np.concatenate([one[name] for one in parameters]) for name in parameters[0]}
