"""Sample points that stand for all requests of a minute: prompt, output, luck in the queue, position.

A rank-1 lattice, shifted each minute, so that one minute is coarse and an hour is smooth, without a
random number. The spreads are our reading of the published token quantiles: prompts of SageServe's
traces have squared coefficients of variation of 0.2–1.5, outputs of 1–3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from simulation.columns import Floats

POINTS = 16
PROMPT_SCV = 0.5
OUTPUT_SCV = 1.5
_GENERATOR = np.array([1.0, 7.0, 11.0, 13.0])
"""Odd, hence every column alone meets each sixteenth exactly once."""
_SHIFTS = np.array([0.7548776662, 0.5698402910, 0.4301597090, 0.2451223338])
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """(POINTS,) each: factors on the mean prompt and output, and two probabilities in (0, 1)."""

    prompt: Floats
    output: Floats
    luck: Floats
    position: Floats


def samples(minute: int) -> Samples:
    """The points of a minute, counted from anywhere."""
    steps = (np.arange(POINTS)[:, None] + 0.5) * _GENERATOR / POINTS
    u = np.clip((steps + minute * _SHIFTS) % 1.0, 1e-6, 1 - 1e-6)
    return Samples(
        prompt=_lognormal(u[:, 0], PROMPT_SCV),
        output=_lognormal(u[:, 1], OUTPUT_SCV),
        luck=u[:, 2],
        position=u[:, 3],
    )


def prompt_factors() -> Floats:
    """(POINTS,) an unshifted spread of prompts, whose mean is exactly 1."""
    factors = _lognormal((np.arange(POINTS) + 0.5) / POINTS, PROMPT_SCV)
    spread: Floats = factors / factors.mean()
    return spread


def _lognormal(u: Floats, scv: float) -> Floats:
    sigma = math.sqrt(math.log1p(scv))
    z = np.array([_NORMAL.inv_cdf(float(value)) for value in u])
    factors: Floats = np.exp(sigma * z - sigma**2 / 2)
    return factors
