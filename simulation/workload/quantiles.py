"""Draws from distributions of which only some quantiles are published: lengths of requests, bursts.

Between two published levels the logarithm of the value runs linearly in the logarithm of the
exceedance, so that tails fall as power laws; beyond the outermost level the value stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from simulation.columns import Floats

_GRID = (np.arange(20_000) + 0.5) / 20_000
"""Levels over which moments are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileLaw:
    """A positive random quantity given by its values (rising) at levels within [0, 1) (rising)."""

    levels: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, level: Floats) -> Floats:
        """The quantiles at these levels."""
        known = -np.log1p(-np.asarray(self.levels))
        logs = np.interp(-np.log1p(-level), known, np.log(np.asarray(self.values)))
        return np.asarray(np.exp(logs), dtype=np.float64)

    def draw(self, rng: Generator, size: int) -> Floats:
        """That many independent draws."""
        return self.at(rng.random(size))

    @property
    def mean(self) -> float:
        """The mean of what is drawn."""
        return float(self.at(_GRID).mean())

    @property
    def relative_variance(self) -> float:
        """Variance ÷ mean² of what is drawn."""
        return float(self.at(_GRID).var()) / self.mean**2


class LengthLaws(NamedTuple):
    """How long the prompts and the outputs of a model's requests are, in tokens."""

    prompt: QuantileLaw
    output: QuantileLaw


def draw_sums(
    counts: Floats, mean_tokens: Floats | float, relative_variance: float, rng: Generator
) -> Floats:
    """For each count n the sum of n lengths of that mean, whole and at least n, by a gamma law.

    A sum of many lengths is drawn at once: exact in its first two moments, however large n is.
    `relative_variance` is variance ÷ mean². A NaN count gives NaN.
    """
    known = np.nan_to_num(counts)
    mean = np.nan_to_num(mean_tokens)
    spread = max(relative_variance, 1e-9)
    sums = rng.gamma(np.maximum(known, 1e-9) / spread, mean * spread)
    whole = np.where(known > 0, np.maximum(np.rint(sums), known), 0.0)
    return np.where(np.isnan(counts), np.nan, whole)


def law_of_lengths(levels: Sequence[float], values: Sequence[float]) -> QuantileLaw:
    """Tokens per request from published quantiles, with one token as the shortest length."""
    return QuantileLaw(levels=(0.0, *levels), values=(max(1.0, values[0] / 2), *values))
