"""First come, first served."""

from __future__ import annotations

from simulation.event.compiled import order_key


@order_key
def fcfs(
    joined: float,
    promise: float,
    tier: int,
    prompt_tokens: int,
    expected_seconds: float,
    now: float,
    a: float,
    b: float,
) -> float:
    """When it came."""
    return joined
