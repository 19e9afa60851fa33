"""Deadline and priority: see `scheduling.sageserve.DpaBounds`, whose bounds are `a` and `b`."""

from __future__ import annotations

from simulation.event.compiled import order_key

TIER = 1e9
"""More seconds than any run has."""


@order_key
def dpa(
    joined: float,
    promise: float,
    tier: int,
    prompt_tokens: int,
    expected_seconds: float,
    now: float,
    a: float,
    b: float,
) -> float:
    """Its class, its tier, then when it came."""
    late = now - joined - promise
    group = 1 if -late < a * promise else 2
    if late >= 0.0:
        group = 0 if late < b * promise else 3
    return (3 * group + tier) * TIER + joined
