"""Recursive least squares with forgetting, on relative errors (Ljung, System Identification, 11.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_WIDEST = 4.0
"""Forgetting makes coefficients at most twice as uncertain as the prior was: four times the variance."""


class RecursiveFit:
    """Coefficients c of `value = features · c`, followed observation by observation.

    Both sides are divided by the value, so that relative errors are made small, and every coefficient
    counts in units of its prior, so that all are about 1. An observation weighs `1 − 1/memory` less
    with each that follows.
    """

    def __init__(self, prior: Numbers, *, doubt: float, memory: float, noise: float = 1.0) -> None:
        """`doubt`: relative standard deviation of the prior's coefficients, one that is zero takes a
        thousandth of the largest; `noise`: that of an observation; `memory`: observations."""
        least = 1e-3 * float(np.abs(prior).max())
        self._units = np.where(prior == 0, least, np.abs(prior))
        self._scaled = prior / self._units
        self._most = _WIDEST * doubt**2 * len(prior)
        self._spread = np.eye(len(prior)) * doubt**2
        self._keep = 1.0 - 1.0 / memory
        self._noise = noise**2

    @property
    def coefficients(self) -> Numbers:
        """As they are believed now."""
        return self._scaled * self._units

    def observe(self, features: Numbers, value: float) -> None:
        """Learn from one observation of a positive value."""
        x = features * self._units / value
        # Without new directions forgetting would let the spread grow without bound, and one odd
        # observation throw everything over: nothing is forgotten while it is as wide as that.
        keep = self._keep if np.trace(self._spread) < self._most else 1.0
        along = self._spread @ x
        gain = along / (keep * self._noise + float(x @ along))
        self._scaled = self._scaled + gain * (1.0 - float(x @ self._scaled))
        spread = (self._spread - np.outer(gain, along)) / keep
        self._spread = (spread + spread.T) / 2
