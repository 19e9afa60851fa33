"""Means of output lengths, learnt as requests end: by bin of the prompt's length, drawn to the whole."""

from __future__ import annotations

import math

from scheduling.compiled import rule

BINS = 23
"""Prompts of 1, 2–3, 4–7, … tokens; the last bin holds all from 2²² up."""


@rule
def input_bin(tokens: int) -> int:
    """The bin of a prompt of so many tokens."""
    return int(min(BINS - 1, int(math.log2(max(1, tokens)))))


@rule
def follow(mean: float, seen: float, value: float) -> float:
    """The mean of `seen` values, the last of them this one, given that of those before it. A `seen`
    that no longer grows makes the mean follow: each value weighs 1 ÷ `seen`."""
    return mean + (value - mean) / seen


@rule
def drawn_to(mean: float, seen: float, whole: float, weight: float) -> float:
    """A bin's mean of `seen` values, drawn to the mean of all bins as if that were `weight` values."""
    return (mean * seen + whole * weight) / (seen + weight)
