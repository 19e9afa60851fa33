"""Statistics of output lengths: counts and sums on a logarithmic grid, with decay."""

from __future__ import annotations

import math

import numpy as np

from scheduling.lengths.prediction import MOST_OUTPUT_TOKENS

_STEP = math.log(1.1)
_CELLS = math.ceil(math.log(MOST_OUTPUT_TOKENS) / _STEP) + 1
_EDGES = np.exp(_STEP * np.arange(_CELLS + 1))
_HEAVY = 1e9


class LengthHistogram:
    """Mean and deviation are exact; quantiles and survivors to the grid's 10 %."""

    def __init__(self, memory: float) -> None:
        """A length counts e times less after `memory` more of them."""
        self._growth = math.exp(1.0 / memory)
        self._weight = 1.0  # of the next length: it grows, so that those before fade
        self._counts = np.zeros(_CELLS)
        self._sums = np.zeros(_CELLS)
        self._squares = 0.0

    @property
    def count(self) -> float:
        """How many lengths are remembered, faded ones as parts."""
        return float(self._counts.sum() / self._weight) * self._growth if self._any else 0.0

    @property
    def mean(self) -> float:
        """Of what is remembered; there must be something."""
        return float(self._sums.sum() / self._counts.sum())

    @property
    def variance(self) -> float:
        """Of what is remembered; there must be something."""
        return max(0.0, self._squares / float(self._counts.sum()) - self.mean**2)

    def add(self, tokens: float) -> None:
        """One more length."""
        cell = min(_CELLS - 1, int(math.log(tokens) / _STEP))
        self._counts[cell] += self._weight
        self._sums[cell] += self._weight * tokens
        self._squares += self._weight * tokens * tokens
        self._weight *= self._growth
        if self._weight > _HEAVY:
            self._counts /= self._weight
            self._sums /= self._weight
            self._squares /= self._weight
            self._weight = 1.0

    def quantile(self, q: float) -> float:
        """The length that a share q lies at or below, at the upper end of its cell."""
        passed = np.cumsum(self._counts)
        cell = int(np.searchsorted(passed, q * passed[-1]))
        return float(_EDGES[min(cell, _CELLS - 1) + 1])

    def mean_above(self, tokens: float) -> float | None:
        """The mean of those that were longer; None when none was. Within a cell lengths count as
        spread evenly."""
        cell = min(_CELLS - 1, int(math.log(max(1.0, tokens)) / _STEP))
        low, high = max(tokens, float(_EDGES[cell])), float(_EDGES[cell + 1])
        part = float(self._counts[cell]) * (high - low) / (high - float(_EDGES[cell]))
        count = part + float(self._counts[cell + 1 :].sum())
        if count <= 0.0:
            return None
        total = part * (low + high) / 2 + float(self._sums[cell + 1 :].sum())
        return total / count

    @property
    def _any(self) -> bool:
        return bool(self._counts.any())
