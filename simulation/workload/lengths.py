"""Quantiles of request lengths from a histogram with one-percent bins: fixed memory, mergeable."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulation.workload.readers.rules import MOST_TOKENS

RESOLUTION = 1.01
_BINS = int(np.ceil(np.log(MOST_TOKENS + 1) / np.log(RESOLUTION))) + 2


@dataclass(slots=True)
class LengthHistogram:
    """Counts lengths in bins whose edges grow by one per cent; small lengths keep bins of their own."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, dtype=np.int64))
    tokens: float = 0.0

    def add(self, lengths: NDArray[np.float64]) -> None:
        """Count lengths in [0, MOST_TOKENS]; NaN (not measured) is left out."""
        known = lengths[~np.isnan(lengths)]
        places = np.log1p(known) / np.log(RESOLUTION)
        self.counts += np.bincount(places.astype(np.int64), minlength=_BINS)
        self.tokens += float(known.sum())

    @property
    def total(self) -> int:
        """How many lengths were counted."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """The exact mean; None when nothing was counted."""
        return self.tokens / self.total if self.total else None

    def quantile(self, level: float) -> float | None:
        """The length at a level in [0, 1], within one per cent; None when nothing was counted."""
        if not self.total:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), max(1.0, level * self.total)))
        low, high = np.ceil(RESOLUTION**place - 1), np.floor(RESOLUTION ** (place + 1) - 1)
        # Whole numbers only: a narrow bin holds one of them, a wide one is met in its middle.
        return float(np.rint((low + max(low, high)) / 2))
