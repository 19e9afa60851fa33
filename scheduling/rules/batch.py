"""Chiron's local autoscaler (arXiv 2501.08090, Algorithm 1): the batch size follows the backpressure."""

from __future__ import annotations

from scheduling.compiled import rule

LEAST_PRESSURE = 1e-6


@rule
def backpressure(
    gap: float, promised_gap: float, rate_before: float, rate: float, counts_rate: bool
) -> float:
    """max(ITL ÷ promised ITL, throughput before ÷ throughput now), the latter only where it counts."""
    pressure = gap / promised_gap
    if counts_rate and rate > 0.0:
        pressure = max(pressure, rate_before / rate)
    return float(max(LEAST_PRESSURE, pressure))


@rule
def resized(
    size: float, pressure: float, smoothing: float, largest_growth: float, most: float
) -> float:
    """Below 1: B ← α·B/P + (1 − α)·B, at most `largest_growth` times B; else B ← max(1, B/2)."""
    if pressure < 1.0:
        grown = smoothing * size / pressure + (1.0 - smoothing) * size
        size = min(grown, size * largest_growth)
    else:
        size = max(1.0, 0.5 * size)
    return float(min(size, most))
