"""Earliest deadline first: the least time left to the first token."""

from __future__ import annotations

from simulation.event.compiled import order_key


@order_key
def edf(
    joined: float,
    promise: float,
    tier: int,
    prompt_tokens: int,
    expected_seconds: float,
    now: float,
    a: float,
    b: float,
) -> float:
    """When its first token is due."""
    return joined + promise
